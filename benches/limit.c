/* limit PORT PROGRAM ARG...: the least that a wrapper like cronward can cost. The unavoidable work in plain
 * C, without options or state: start the command with the caller's signal mask, forward signals, sleep until
 * it ends, take its usage, send one datagram of metrics to 127.0.0.1:PORT, exit with its status. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
    if (argc < 3)
        return 125;
    sigset_t forwarded, received;
    sigemptyset(&forwarded);
    sigaddset(&forwarded, SIGINT);
    sigaddset(&forwarded, SIGTERM);
    sigaddset(&forwarded, SIGHUP);
    sigaddset(&forwarded, SIGQUIT);
    sigprocmask(SIG_BLOCK, &forwarded, &received);
    int signals = signalfd(-1, &forwarded, SFD_CLOEXEC | SFD_NONBLOCK);

    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &received);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    pid_t pid;
    if (posix_spawnp(&pid, argv[2], 0, &attributes, argv + 2, environ))
        return 127;

    struct pollfd wait[2] = {{syscall(SYS_pidfd_open, pid, 0), POLLIN, 0}, {signals, POLLIN, 0}};
    while (!(wait[0].revents & POLLIN)) {
        struct signalfd_siginfo arrived;
        if (poll(wait, 2, -1) < 0)
            return 125;
        if (wait[1].revents && read(signals, &arrived, sizeof arrived) == sizeof arrived)
            kill(pid, arrived.ssi_signo);
    }
    int status;
    struct rusage usage;
    wait4(pid, &status, 0, &usage);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);

    char metrics[1024];
    int length = snprintf(metrics, sizeof metrics,
        "run.duration:%.3f|ms\nrun.exit_code:%d|g\nrun.cpu_user:%ld|g\n"
        "run.cpu_system:%ld|g\nrun.max_rss:%ld|g\nrun.count:1|c",
        (ended.tv_sec - began.tv_sec) * 1e3 + (ended.tv_nsec - began.tv_nsec) / 1e6, code,
        (long)(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec),
        (long)(usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec), usage.ru_maxrss);
    struct sockaddr_in receiver = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])),
                                   .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sendto(udp, metrics, length, 0, (struct sockaddr *)&receiver, sizeof receiver);
    return code;
}
