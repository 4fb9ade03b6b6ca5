/* A wall clock that can be stepped, for one process at a time: preload it (LD_PRELOAD).

   Each process, forked ones too, maps the file "$SOAK_CLOCKS/<its pid>": one 64-bit number in the machine's byte order,
   the seconds by which its wall clock is wrong. Whoever writes another number there has stepped that clock, and no
   other. The monotonic clocks stay as they are, as they do when a machine's time is set. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int (*clock_reader)(clockid_t, struct timespec *);

static volatile int64_t *wrong_by;
static char folder[PATH_MAX];

static void map_own_file(void) {
    char path[PATH_MAX + 24];
    wrong_by = NULL;
    snprintf(path, sizeof path, "%s/%ld", folder, (long)getpid());
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    if (ftruncate(file, sizeof(int64_t)) == 0) {
        void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
        if (page != MAP_FAILED) wrong_by = page;
    }
    close(file);
}

__attribute__((constructor)) static void begin(void) {
    const char *named = getenv("SOAK_CLOCKS");
    if (named == NULL) return;
    snprintf(folder, sizeof folder, "%s", named);
    map_own_file();
    pthread_atfork(NULL, NULL, map_own_file);
}

int clock_gettime(clockid_t which, struct timespec *told) {
    static clock_reader real;
    if (real == NULL) real = (clock_reader)dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, told);
    if (!failed && wrong_by != NULL && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        told->tv_sec += *wrong_by;
    return failed;
}

int gettimeofday(struct timeval *restrict told, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    told->tv_sec = now.tv_sec;
    told->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *told) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return (time_t)-1;
    if (told != NULL) *told = now.tv_sec;
    return now.tv_sec;
}
