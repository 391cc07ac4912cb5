// SPDX-License-Identifier: MIT
/*
 * The floor of every measurement: reads the header, the L1 table and each L2 table that it names,
 * with one thread and plain pread, and does nothing with what it read. No measuring program can be
 * faster unless it reads with several threads.
 *
 * floor IMAGE...: exits 0 when all tables of all images have been read.
 * floor --list IMAGE: prints offset and length of these reads instead of doing them.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define L1_WINDOW 8192

static uint64_t be64_at(const unsigned char *p)
{
    uint64_t n;

    memcpy(&n, p, sizeof(n));
    return be64toh(n);
}

static void read_all(int fd, void *buf, size_t len, uint64_t off)
{
    if (pread(fd, buf, len, (off_t)off) < 0) {
        perror("floor");
        exit(1);
    }
}

static bool list_only;

static void read_table(int fd, void *buf, size_t len, uint64_t off)
{
    if (list_only)
        printf("%llu %zu\n", (unsigned long long)off, len);
    else
        read_all(fd, buf, len, off);
}

static void read_tables(int fd)
{
    static unsigned char header[112], l1[8 * L1_WINDOW], l2[2 << 20];
    uint64_t l1_off, cluster_bytes;
    uint32_t n_entries;

    read_all(fd, header, sizeof(header), 0);
    cluster_bytes = UINT64_C(1) << (be64_at(header + 16) & 63);
    n_entries = (uint32_t)(be64_at(header + 32) & UINT32_MAX);
    l1_off = be64_at(header + 40);
    for (uint32_t first = 0; first < n_entries; first += L1_WINDOW) {
        uint32_t n = n_entries - first < L1_WINDOW ? n_entries - first : L1_WINDOW;

        read_all(fd, l1, 8 * (size_t)n, l1_off + 8 * (uint64_t)first);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t l2_off = be64_at(l1 + 8 * (size_t)i) & UINT64_C(0x00fffffffffffe00);

            if (l2_off != 0)
                read_table(fd, l2, cluster_bytes, l2_off);
        }
    }
}

int main(int argc, char **argv)
{
    list_only = argc > 1 && strcmp(argv[1], "--list") == 0;
    for (int i = list_only ? 2 : 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY | O_CLOEXEC);

        if (fd < 0) {
            perror(argv[i]);
            return 1;
        }
        read_tables(fd);
        close(fd);
    }
    return 0;
}
