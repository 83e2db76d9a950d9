/*
 * Runs a fuzz target over a seed corpus without libFuzzer, as a unit test: every file of the directories
 * that are named. Exit 1 when a directory is missing or empty, or a file cannot be read.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *dir, const char *name)
{
    static char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return 1;
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(1 << 20);
    int bad = !f || !data;
    if (!bad) {
        size_t n = fread(data, 1, 1 << 20, f);
        bad = ferror(f) != 0;
        /* An exact copy, so that a sanitizer sees a read past the end. */
        uint8_t *exact = bad ? NULL : malloc(n ? n : 1);
        if (exact) {
            memcpy(exact, data, n);
            LLVMFuzzerTestOneInput(exact, n);
        }
        bad |= !exact;
        free(exact);
    }
    if (bad)
        fprintf(stderr, "%s: cannot be read\n", path);
    free(data);
    if (f)
        fclose(f);
    return bad;
}

static int run_dir(const char *dir)
{
    int files = 0, bad = 0;
    DIR *d = opendir(dir);
    if (!d) {
        fprintf(stderr, "%s: %s\n", dir, strerror(errno));
        return 1;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        files++;
        bad |= run_file(dir, e->d_name);
    }
    closedir(d);
    if (files == 0)
        fprintf(stderr, "%s: no seeds\n", dir);
    printf("%s: %d seeds\n", dir, files);
    return bad || files == 0;
}

int main(int argc, char **argv)
{
    int bad = argc < 2;
    for (int i = 1; i < argc; i++)
        bad |= run_dir(argv[i]);
    return bad;
}
