/* stopwatch N PROGRAM ARG...: runs PROGRAM N times, one after the other, and prints a line for each:
 *   nanoseconds from before the fork to after the reaping, minor page faults of it and of all that it
 *   reaped, exit status (128 + signal).
 * PROGRAM is a path, and has /dev/null as its standard files. A small parent that uses vfork, so that what
 * is measured is the program and not the copying of an interpreter's page tables. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (argc < 3 || null < 0)
        return 2;
    for (long left = atol(argv[1]); left > 0; left--) {
        long long began = now();
        pid_t pid = vfork();
        if (pid < 0)
            return 1;
        if (pid == 0) {
            for (int fd = 0; fd < 3; fd++)
                dup2(null, fd);
            execv(argv[2], argv + 2);
            _exit(127);
        }
        int status;
        struct rusage usage;
        if (wait4(pid, &status, 0, &usage) != pid)
            return 1;
        printf("%lld %ld %d\n", now() - began, usage.ru_minflt,
               WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
    return 0;
}
