/*
 * config_files - a folder of configuration files that lives as long as one test.
 */
#ifndef TESTS_UNIT_CONFIG_FILES_H
#define TESTS_UNIT_CONFIG_FILES_H

#include "exporter/base/attrs.h"

/* A new empty folder; the caller ends it with config_folder_remove(). */
char *config_folder_new(void);
void config_folder_remove(char **folder);

/* Write FOLDER/NAME, making the folders in between; the full path, freed by the caller. */
char *config_file_write(const char *folder, const char *name, const char *text);

/* The whole text of a file of the repository, freed by the caller. */
char *config_file_text(const char *path);

/* "FOLDER/NAME", freed by the caller. */
char *config_path(const char *folder, const char *name);

void text_free(char **text);

#endif
