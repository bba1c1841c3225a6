/*
 * Faults of the machine, put before a program by LD_PRELOAD. Each is governed by a file in the
 * folder that TEST_FAULTS names:
 *   fsync  while it is there, nothing can be flushed to disk (EIO);
 *   clock  the seconds by which this process's time of day is off.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int fault(const char *name) {
    const char *folder = getenv("TEST_FAULTS");
    char path[4096];
    if (folder == NULL) return -1;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int flush(long call, int fd) {
    int saved = errno;
    int found = fault("fsync");
    if (found >= 0) {
        close(found);
        errno = EIO;
        return -1;
    }
    errno = saved;
    return (int)syscall(call, fd);
}

int fsync(int fd) { return flush(SYS_fsync, fd); }

int fdatasync(int fd) { return flush(SYS_fdatasync, fd); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = (int)syscall(SYS_clock_gettime, clock, now);
    if (done == 0 && clock == CLOCK_REALTIME) {
        int saved = errno;
        int file = fault("clock");
        if (file >= 0) {
            char text[32] = {0};
            if (read(file, text, sizeof text - 1) > 0) now->tv_sec += atol(text);
            close(file);
        }
        errno = saved;
    }
    return done;
}
