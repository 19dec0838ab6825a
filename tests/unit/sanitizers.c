/* What the sanitizer variants of the unit tests need; empty in the others. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define WITH_LEAK_CHECK
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define WITH_LEAK_CHECK
#endif

#ifdef WITH_LEAK_CHECK
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>

/*
 * Criterion's runner loses 48 bytes of its own when tests run in parallel, and would fail for it.
 * The tests run in processes that boxfort starts with this variable: those are checked.
 */
int __lsan_is_turned_off(void)
{
    return getenv("BXFI_MAP") == NULL;
}
#else
typedef int nothing_to_do_without_a_sanitizer;
#endif
