/* steps PROGRAM ARG...: prints how many user-mode instructions the first thread of PROGRAM executes,
 * from its first to its exit (or to its own next exec, for programs like env that do not wait).
 *
 * Counted by single-stepping, because virtual machines often have no hardware counters, and because
 * hardware counters are not exact. Unlike there, each round of a repeated string instruction (x86 rep)
 * counts as one. Children are not stepped: they run at full speed and count for nothing.
 * The program has /dev/null as its standard files. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int start(char **argv)
{
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    close(null);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    execv(argv[0], argv);
    return 127;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    pid_t pid = fork();
    if (pid < 0)
        return 1;
    if (pid == 0)
        _exit(start(argv + 1));

    /* The first stop is the end of execve (ptrace(2), PTRACE_TRACEME). */
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        return 1;
    if (ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL))
        return 1;

    long instructions = 0;
    int deliver = 0;
    for (;;) {
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, deliver) || waitpid(pid, &status, 0) != pid)
            return 1;
        if (!WIFSTOPPED(status) || status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
            break;
        deliver = 0;
        if (WSTOPSIG(status) == SIGTRAP)
            instructions++;
        else
            deliver = WSTOPSIG(status);
    }
    if (WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0))
        return 1;
    printf("%ld\n", instructions);
    return 0;
}
