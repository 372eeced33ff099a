/*
 * A disk that is full under the store of a context: no call fails, the log handler
 * is told, and the first operation with room again brings everything to the disk.
 * The limit of the system on the length of files stands for the disk; it holds for a
 * process, so each part has one of its own. (core/store/system_test.go does the same
 * in Go on a file system that is really full.)
 */
#define _GNU_SOURCE /* SIGXFSZ */
#include "alone.h"
#include "native.h"

#include <sys/resource.h>
#include <sys/stat.h>

enum { CHANNELS = 3, EARLY = 5, LATE = 40 };

static atomic_int complaints;

static void on_line(int level, const char *line, size_t length, void *userData)
{
    (void)level;
    (void)length;
    (void)userData;
    if (strstr(line, "file too large") != NULL || strstr(line, "no space left") != NULL)
        atomic_fetch_add(&complaints, 1);
}

static const char *store(void) { return getenv("STORE"); }

static void *open_stored(const char *sync)
{
    char config[600], *error = NULL;
    SdsOptions options = {0};
    void *ctx = NULL;

    snprintf(config, sizeof config, "{\"storePath\":\"%s\",\"storeSync\":\"%s\"," SMALL_FILTER "}", store(), sync);
    options.size = sizeof options;
    options.participantId = "alice";
    options.configJson = config;
    EXPECT_STATUS(SdsOpen(&options, &ctx, &error), SDS_OK);
    return ctx;
}

static void limit_files(rlim_t most)
{
    struct rlimit limit;

    EXPECT_NUMBER(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most;
    EXPECT_NUMBER(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* say wraps the messages from first to last - 1 in each channel, of 10 KB, which soon fill what room there is. */
static void say(void *ctx, int first, int last)
{
    static char content[10000];
    char channel[16], id[16], *error = NULL;
    int i, j;

    memset(content, 'x', sizeof content);
    for (i = first; i < last; i++)
        for (j = 0; j < CHANNELS; j++) {
            uint8_t *message = NULL;
            size_t length = 0;

            snprintf(channel, sizeof channel, "c%d", j);
            snprintf(id, sizeof id, "m%d", i);
            EXPECT_STATUS(SdsWrap(ctx, channel, id, content, sizeof content, &message, &length, &error), SDS_OK);
            SdsFree(message);
        }
}

static void expect_kept(void *ctx, int last)
{
    char channel[16], id[16], *json = NULL, *error = NULL;
    int i, j;

    for (j = 0; j < CHANNELS; j++) {
        snprintf(channel, sizeof channel, "c%d", j);
        EXPECT_STATUS(SdsEnsureChannel(ctx, channel, &error), SDS_OK);
        EXPECT_STATUS(SdsInspect(ctx, channel, &json, &error), SDS_OK);
        for (i = 0; i < last; i++) {
            snprintf(id, sizeof id, "\"m%d\"", i);
            if (!EXPECT(json != NULL && strstr(json, id) != NULL))
                fprintf(stderr, "%s lacks %s; ", channel, id);
        }
        SdsFree(json);
    }
}

static int fill(const char *sync)
{
    struct rlimit before;
    struct stat file;
    void *ctx;

    signal(SIGXFSZ, SIG_IGN); /* else the system ends whoever passes the limit */
    getrlimit(RLIMIT_FSIZE, &before);
    SdsSetLogHandler(on_line, 4, NULL);
    ctx = open_stored(sync);
    say(ctx, 0, EARLY);
    EXPECT_NUMBER(stat(store(), &file), 0);
    limit_files((rlim_t)file.st_size);
    say(ctx, EARLY, LATE);
    if (!EXPECT(atomic_load(&complaints) > 0)) /* it was full */
        fprintf(stderr, "nobody noticed; ");
    limit_files(before.rlim_cur);
    say(ctx, LATE, LATE + 1);
    close_native(ctx);

    ctx = open_stored(sync);
    expect_kept(ctx, LATE + 1);
    close_native(ctx);
    if (atomic_load(&expectations.failures) > 0)
        fprintf(stderr, "%d checks failed", atomic_load(&expectations.failures));
    return atomic_load(&expectations.failures) > 0;
}

static int fill_full(void) { return fill("full"); }
static int fill_batch(void) { return fill("batch"); }

/* A context that ends without room keeps what was on the disk, all of it. */
static int end_full(void)
{
    struct rlimit before;
    struct stat file;
    void *ctx;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    ctx = open_stored("full");
    say(ctx, 0, EARLY);
    EXPECT_NUMBER(stat(store(), &file), 0);
    limit_files((rlim_t)file.st_size);
    say(ctx, EARLY, LATE);
    close_native(ctx);
    limit_files(before.rlim_cur);
    ctx = open_stored("full");
    expect_kept(ctx, EARLY);
    say(ctx, LATE, LATE + 1);
    close_native(ctx);
    return atomic_load(&expectations.failures) > 0;
}

static const struct part parts[] = {{"full", fill_full}, {"batch", fill_batch}, {"end", end_full}};

static void with_store(const char *part)
{
    const char *temporary = getenv("TMPDIR");
    char folder[256], path[300];

    snprintf(folder, sizeof folder, "%s/libsds-disk-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (!EXPECT(mkdtemp(folder) != NULL))
        return;
    snprintf(path, sizeof path, "%s/store", folder);
    setenv("STORE", path, 1);
    EXPECT_EXIT(part);
    unlink(path);
    EXPECT_NUMBER(rmdir(folder), 0);
}

static void a_full_disk_fails_no_call_and_loses_nothing(void) { with_store("full"); }
static void nor_does_it_with_shared_commits(void) { with_store("batch"); }
static void what_was_on_a_full_disk_stays(void) { with_store("end"); }

int main(int argc, char **argv)
{
    int status = alone(argc, argv, parts, sizeof parts / sizeof parts[0]);

    if (status >= 0)
        return status;
    expect_begin(argc, argv);
    RUN(a_full_disk_fails_no_call_and_loses_nothing);
    RUN(nor_does_it_with_shared_commits);
    RUN(what_was_on_a_full_disk_stays);
    return expect_end();
}
