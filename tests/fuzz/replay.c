// SPDX-License-Identifier: MIT
/* Runs the fuzz target over files without a fuzzer: replay FILE... For any compiler, and for CI. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    long len;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0) {
        perror(path);
        return 1;
    }
    rewind(file);
    bytes = malloc(len > 0 ? (size_t)len : 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)len, file) != (size_t)len) {
        perror(path);
        return 1;
    }
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, (size_t)len);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (replay(argv[i]) != 0)
            return 1;
    printf("%d inputs\n", argc - 1);
    return 0;
}
