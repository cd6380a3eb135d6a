/* The ends of a flow of output, for benches/throughput; neither is to be what limits it.
 *
 *   flow lines FD BYTES CHUNK STATUS    writes so many bytes of lines to the descriptor, CHUNK bytes at a time, and
 *                                       ends with STATUS
 *   flow linger FD BYTES CHUNK STATUS   the same, and ends two seconds later
 *   flow numbers FD BYTES STATUS        the same in 64 KiB at a time, every eight bytes a number of their own
 *   flow drain                          takes all of stdin, by splice(2) to /dev/null, and prints how many bytes it was
 *   flow take                           the same by read(2), as most programs do
 *   flow check                          reads all of stdin, and prints how many bytes of it were what `flow numbers`
 *                                       writes; then, if there is more, " and others" */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536
#define WORDS (BLOCK / sizeof(uint64_t))

/* Eight bytes that nothing else in the flow has, and that no pattern of pages or blocks could imitate. */
static uint64_t number(uint64_t at)
{
    return (at + 1) * 0x9e3779b97f4a7c15ULL;
}

static int write_whole(int fd, const char *from, size_t left)
{
    while (left > 0) {
        ssize_t written = write(fd, from, left);
        if (written <= 0)
            return -1;
        from += written;
        left -= written;
    }
    return 0;
}

static int lines(int fd, long long left, size_t chunk)
{
    char *block = malloc(chunk);
    if (!block)
        return -1;
    memset(block, 'x', chunk);
    for (size_t end = 79; end < chunk; end += 80)
        block[end] = '\n';
    for (; left > 0; left -= chunk)
        if (write_whole(fd, block, left < (long long)chunk ? (size_t)left : chunk))
            return -1;
    return 0;
}

static int numbers(int fd, long long left)
{
    static uint64_t block[WORDS];
    for (uint64_t at = 0; left > 0; left -= BLOCK) {
        for (size_t word = 0; word < WORDS; word++)
            block[word] = number(at++);
        if (write_whole(fd, (char *)block, left < BLOCK ? (size_t)left : BLOCK))
            return -1;
    }
    return 0;
}

static int drain(void)
{
    int null = open("/dev/null", O_WRONLY);
    long long taken = 0;
    ssize_t count;
    while ((count = splice(0, NULL, null, NULL, 1 << 20, SPLICE_F_MOVE)) > 0)
        taken += count;
    printf("%lld\n", taken);
    return count < 0;
}

static int take(void)
{
    static char block[BLOCK];
    long long taken = 0;
    ssize_t count;
    while ((count = read(0, block, sizeof block)) > 0)
        taken += count;
    printf("%lld\n", taken);
    return count < 0;
}

/* Reads until the block is full, or there is no more. */
static size_t fill(char *block)
{
    size_t filled = 0;
    ssize_t count;
    while (filled < BLOCK && (count = read(0, block + filled, BLOCK - filled)) > 0)
        filled += count;
    return filled;
}

static int check(void)
{
    static uint64_t expected[WORDS], block[WORDS];
    long long good = 0;
    uint64_t at = 0;
    size_t filled;
    while ((filled = fill((char *)block)) > 0) {
        for (size_t word = 0; word < WORDS; word++)
            expected[word] = number(at++);
        size_t same = memcmp(expected, block, filled) == 0 ? filled : 0;
        while (same < filled && ((char *)expected)[same] == ((char *)block)[same])
            same++;
        good += same;
        if (same < filled) {
            printf("%lld and others\n", good);
            while (fill((char *)block) > 0)
                ;
            return 0;
        }
    }
    printf("%lld\n", good);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "lines") == 0 && atol(argv[4]) > 0)
        return lines(atoi(argv[2]), atoll(argv[3]), atol(argv[4])) ? 99 : atoi(argv[5]);
    if (argc == 6 && strcmp(argv[1], "linger") == 0 && atol(argv[4]) > 0) {
        int failed = lines(atoi(argv[2]), atoll(argv[3]), atol(argv[4]));
        sleep(2);
        return failed ? 99 : atoi(argv[5]);
    }
    if (argc == 5 && strcmp(argv[1], "numbers") == 0)
        return numbers(atoi(argv[2]), atoll(argv[3])) ? 99 : atoi(argv[4]);
    if (argc == 2 && strcmp(argv[1], "drain") == 0)
        return drain();
    if (argc == 2 && strcmp(argv[1], "take") == 0)
        return take();
    if (argc == 2 && strcmp(argv[1], "check") == 0)
        return check();
    return 2;
}
