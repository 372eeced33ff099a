/*
 * alone.h: runs a part of this program in a process of its own, for what ends a
 * process or must not be seen by others. Unlike a forked child, which cannot use the
 * library, it is this program from its beginning, called as `host --alone PART`.
 */
#ifndef ALONE_H
#define ALONE_H

#include "expect.h"

#include <errno.h>
#include <sys/wait.h>

/* A part; it returns the exit status, unless it ends in another way. */
struct part {
    const char *name;
    int (*run)(void);
};

/* How a part ended, and what it wrote to stderr. */
struct ending {
    int status; /* of waitpid */
    char errors[4096];
};

static inline struct ending run_alone(const char *name)
{
    struct ending ending = {-1, ""};
    char *arguments[] = {(char *)(size_t)expectations.host, (char *)(size_t) "--alone", (char *)(size_t)name, NULL};
    char rest[512];
    size_t length = 0;
    int ends[2];
    pid_t child;

    fflush(stdout);
    if (pipe(ends) != 0)
        abort();
    child = fork();
    if (child == 0) {
        alarm((unsigned)environment_number("SDS_TEST_PATIENCE", 120));
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv("/proc/self/exe", arguments);
        _exit(127);
    }
    close(ends[1]);
    for (;;) {
        size_t room = sizeof ending.errors - 1 - length;
        ssize_t got = read(ends[0], room > 0 ? ending.errors + length : rest, room > 0 ? room : sizeof rest);

        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        length += got > 0 && room > 0 ? (size_t)got : 0;
    }
    close(ends[0]);
    while (waitpid(child, &ending.status, 0) < 0 && errno == EINTR) {
    }
    return ending;
}

static inline void expect_exit(const char *name, const char *file, int line)
{
    struct ending ending = run_alone(name);

    if (!expect_true(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 0, name, file, line))
        printf("        wait status %#x: %s\n", (unsigned)ending.status, ending.errors);
}

/* EXPECT_EXIT runs a part that has to end with 0. */
#define EXPECT_EXIT(name) expect_exit((name), __FILE__, __LINE__)

/* alone runs the part that the arguments name; -1 when they name none. */
static inline int alone(int argc, char **argv, const struct part *parts, size_t count)
{
    size_t i;

    if (argc < 3 || strcmp(argv[1], "--alone") != 0)
        return -1;
    for (i = 0; i < count; i++)
        if (strcmp(argv[2], parts[i].name) == 0)
            return parts[i].run();
    fprintf(stderr, "there is no part %s\n", argv[2]);
    return 127;
}

#endif
