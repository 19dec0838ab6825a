#include "exporter/commands/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

bool user_become(const char *name, struct err *err)
{
    if (geteuid() != 0)
        return true;
    errno = 0;
    const struct passwd *user = getpwnam(name); /* before any thread is started */
    if (!user)
        return err_set(err, ERR_CONFIG,
                       "started as root, but there is no user %s to become (pgbackrest.user)",
                       name);
    if (user->pw_uid == 0)
        return err_set(err, ERR_CONFIG,
                       "pgbackrest.user is %s, which is root: pgbackrest refuses to run as root",
                       name);
    uid_t uid = user->pw_uid;
    gid_t gid = user->pw_gid;
    /* libpq looks for .pgpass and certificates there. */
    if (setenv("HOME", user->pw_dir, 1) != 0 || setenv("USER", name, 1) != 0 ||
        setenv("LOGNAME", name, 1) != 0)
        return err_memory(err);
    if (initgroups(name, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return err_system(err, errno, "cannot become user %s", name);
    /* As if that user had started us: else the kernel keeps /proc/self/mountstats to root. */
    if (prctl(PR_SET_DUMPABLE, 1) != 0)
        return err_system(err, errno, "cannot make the process dumpable again");
    return true;
}
