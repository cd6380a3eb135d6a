/* peak FILE PROGRAM ARG...: runs PROGRAM, writes the most memory that its own process ever had resident (VmHWM,
 * proc_pid_status(5)) and how much of it was anonymous at its end (RssAnon) to FILE, in KiB, and ends with its exit
 * status (128 + signal).
 *
 * Read at its exit, while it still has its memory. What wait4(2) says of a process (ru_maxrss) is the largest of its
 * own, that of all that it has reaped, and what it was forked from. Traced for its end alone, PROGRAM runs at full
 * speed but for signals that it does not block, which are handed on. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int note(const char *path, pid_t pid)
{
    char status[64], line[256];
    snprintf(status, sizeof status, "/proc/%d/status", pid);
    FILE *from = fopen(status, "re"), *to = fopen(path, "we");
    if (!from || !to)
        return -1;
    long peak = -1, anonymous = -1;
    while (fgets(line, sizeof line, from)) {
        sscanf(line, "VmHWM: %ld", &peak);
        sscanf(line, "RssAnon: %ld", &anonymous);
    }
    fclose(from);
    fprintf(to, "%ld %ld\n", peak, anonymous);
    return fclose(to) || peak < 0 || anonymous < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 125;
    pid_t pid = fork();
    if (pid < 0)
        return 125;
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execv(argv[2], argv + 2);
        _exit(127);
    }
    int status, noted = -1;
    /* The first stop is the end of execve (ptrace(2), PTRACE_TRACEME). */
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        return 125;
    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
    int deliver = 0;
    for (;;) {
        ptrace(PTRACE_CONT, pid, 0, deliver);
        if (waitpid(pid, &status, 0) != pid)
            return 125;
        if (!WIFSTOPPED(status))
            break;
        int is_exit = status >> 16 == PTRACE_EVENT_EXIT;
        deliver = is_exit ? 0 : WSTOPSIG(status);
        if (is_exit)
            noted = note(argv[1], pid);
    }
    if (noted)
        return 125;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
