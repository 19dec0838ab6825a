/*
 * banned - makes calls that have no safe use here a compile error.
 *
 * The Makefile puts this file before every source file of ours. The headers that declare the
 * functions come first: poisoning a name before its declaration would break the system headers.
 */
#ifndef EXPORTER_BASE_BANNED_H
#define EXPORTER_BASE_BANNED_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <locale.h> /* IWYU pragma: keep */
#include <stdio.h>  /* IWYU pragma: keep */
#include <stdlib.h> /* IWYU pragma: keep */
#include <string.h> /* IWYU pragma: keep */
#include <time.h>   /* IWYU pragma: keep */

/* With clang, _FORTIFY_SOURCE makes macros of some, and a macro cannot be poisoned. */
#undef sprintf
#undef vsprintf

/* No bound on what they write. */
#pragma GCC poison strcpy strcat sprintf vsprintf gets
/* Hidden state shared by all threads. */
#pragma GCC poison strtok strerror localtime gmtime ctime asctime
/* No way to see a bad number. */
#pragma GCC poison atoi atol atoll atof
/* A shell. */
#pragma GCC poison system popen
/* Would change how every number in the program is written. */
#pragma GCC poison setlocale

#endif
