/* steps [-a FILE] PROGRAM ARG...: prints how many user-mode instructions the first thread of PROGRAM executes,
 * from its first to its exit (or to its own next exec, for programs like env that do not wait), and ends with
 * PROGRAM's exit status.
 *
 * Counted by single-stepping, because virtual machines often have no hardware counters, and because
 * hardware counters are not exact. Unlike there, each round of a repeated string instruction (x86 rep)
 * counts as one. Children are not stepped: they run at full speed and count for nothing.
 * The program has /dev/null as its standard files.
 *
 * With -a, its other threads and its children are stepped too, children until they execute something else, and
 * FILE gets the addresses of all instructions that were executed: hexadecimal, one a line, each once, in the
 * order of their first execution. So the first is where the kernel entered the program. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* Addresses in a hash table with linear probing: a power of two, far above what a run executes. */
#define SLOTS (1UL << 20)
static unsigned long seen[SLOTS];
static unsigned long kept;

/* Writes down where a stopped thread is to go on, unless that is known. One that was killed meanwhile goes nowhere. */
static int note(FILE *file, pid_t pid)
{
    struct user_regs_struct registers;
    struct iovec room = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &room))
        return 0;
#ifdef __x86_64__
    unsigned long address = registers.rip;
#else
    unsigned long address = registers.pc;
#endif
    unsigned long slot = address * 0x9e3779b97f4a7c15UL >> 44;
    while (seen[slot] && seen[slot] != address)
        slot = (slot + 1) % SLOTS;
    if (seen[slot])
        return 0;
    seen[slot] = address;
    return ++kept > SLOTS / 2 || fprintf(file, "%lx\n", address) < 0;
}

/* The next thread that has stopped and is to be stepped on; 0: the first has ended or executes something else. */
static pid_t next_stop(pid_t first, int *status)
{
    for (;;) {
        pid_t pid = waitpid(-1, status, __WALL);
        int execs = WIFSTOPPED(*status) && *status >> 16 == PTRACE_EVENT_EXEC;
        if (pid < 0)
            return pid;
        if (pid == first)
            return WIFSTOPPED(*status) && !execs ? pid : 0;
        if (execs)
            ptrace(PTRACE_DETACH, pid, 0, 0);
        else if (WIFSTOPPED(*status))
            return pid;
    }
}

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
    FILE *addresses = NULL;
    argv++;
    if (argc > 3 && strcmp(argv[0], "-a") == 0) {
        addresses = fopen(argv[1], "we");
        if (!addresses)
            return 2;
        argv += 2;
    }
    if (!argv[0])
        return 2;
    pid_t first = fork();
    if (first < 0)
        return 1;
    if (first == 0)
        _exit(start(argv));

    /* The first stop is the end of execve (ptrace(2), PTRACE_TRACEME). */
    int status;
    if (waitpid(first, &status, 0) != first || !WIFSTOPPED(status))
        return 1;
    long options = PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (addresses)
        options |= PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
    if (ptrace(PTRACE_SETOPTIONS, first, 0, options))
        return 1;
    if (addresses && note(addresses, first))
        return 1;

    long instructions = 0;
    int deliver = 0;
    pid_t pid = first;
    do {
        /* Any other thread may have been killed meanwhile: the first has ended the process. */
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, deliver) && pid == first)
            return 1;
        pid = next_stop(first, &status);
        if (pid < 0)
            return 1;
        int event = status >> 16, signal = WSTOPSIG(status);
        int stepped = pid != 0 && !event && signal == SIGTRAP;
        /* The other stops are a signal's, to be delivered, or an event's, or of a thread that is new: by SIGSTOP. */
        deliver = stepped || event || (pid != first && signal == SIGSTOP) ? 0 : signal;
        instructions += stepped && pid == first;
        if (addresses && pid != 0 && note(addresses, pid))
            return 1;
    } while (pid != 0);
    if (addresses && fclose(addresses))
        return 1;
    if (WIFSIGNALED(status))
        return 1;
    printf("%ld\n", instructions);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}
