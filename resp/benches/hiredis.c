/* hiredis on the benchmark's bytes; started by the benchmark where a C compiler and hiredis are there.
 *
 * hiredis-bench FILE OBJECTS PIECE TIMES SAMPLES prints the nanoseconds of one run, the fastest of SAMPLES samples of
 * TIMES runs, and what a run found: replies, or the elements of the one reply. OBJECTS is 1 to build hiredis' reply
 * objects, 0 to parse without allocating. PIECE bytes are fed at once.
 */
#define _POSIX_C_SOURCE 200809L

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if HIREDIS_MAJOR >= 1
typedef size_t Count;
#else
typedef int Count;
#endif

static size_t elements;
static char found;

static void *string(const redisReadTask *task, char *text, size_t len) {
    (void)task, (void)text, (void)len;
    return &found;
}

static void *array(const redisReadTask *task, Count count) {
    if (task->parent == NULL) elements = (size_t)count;
    return &found;
}

static void *integer(const redisReadTask *task, long long value) {
    (void)task, (void)value;
    return &found;
}

static void *nil(const redisReadTask *task) {
    (void)task;
    return &found;
}

static void forget(void *object) {
    (void)object;
}

static redisReplyObjectFunctions bare = {
    .createString = string,
    .createArray = array,
    .createInteger = integer,
    .createNil = nil,
    .freeObject = forget,
};

static size_t run(redisReader *reader, int objects, const char *wire, size_t len, size_t piece) {
    size_t replies = 0;
    for (size_t at = 0; at < len; at += piece) {
        if (redisReaderFeed(reader, wire + at, len - at < piece ? len - at : piece) != REDIS_OK) exit(1);
        for (;;) {
            void *reply = NULL;
            if (redisReaderGetReply(reader, &reply) != REDIS_OK) exit(1);
            if (reply == NULL) break;
            replies++;
            if (objects) {
                elements = ((redisReply *)reply)->elements;
                freeReplyObject(reply);
            }
        }
    }
    return replies == 1 && elements > 0 ? elements : replies;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    int objects = atoi(argv[2]);
    size_t piece = strtoull(argv[3], NULL, 10);
    int times = atoi(argv[4]), samples = atoi(argv[5]);

    FILE *file = fopen(argv[1], "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) return 1;
    size_t len = (size_t)ftell(file);
    char *wire = malloc(len);
    rewind(file);
    if (wire == NULL || fread(wire, 1, len, file) != len) return 1;

    redisReader *reader = objects ? redisReaderCreate() : redisReaderCreateWithFunctions(&bare);
    size_t units = 0;
    double best = 1e300;
    for (int sample = 0; sample < samples; sample++) {
        double start = now();
        for (int i = 0; i < times; i++) units = run(reader, objects, wire, len, piece);
        double each = (now() - start) / times;
        if (each < best) best = each;
    }
    printf("%f %zu\n", best, units);
    return 0;
}
