/*
 * Signals rain on the process, with a handler that does not restart system calls:
 * what is interrupted (EINTR) goes on, and nothing is lost, above all nothing that
 * was to be on disk. That goes for the host's threads inside the library, and for the
 * library's own, which block every signal but SIGCHLD.
 */
#define _GNU_SOURCE /* syscall */
#include "native.h"

#include <dirent.h>
#include <errno.h>
#include <sys/syscall.h>

static atomic_int raining, handled;

static void on_signal(int signal_number)
{
    (void)signal_number;
    atomic_fetch_add(&handled, 1);
}

/* rain sends every thread of the process, its own excepted, a signal, over and over. */
static void *rain(void *signal_number)
{
    pid_t process = getpid(), self = (pid_t)syscall(SYS_gettid);

    while (atomic_load(&raining)) {
        DIR *tasks = opendir("/proc/self/task");
        struct dirent *entry;

        while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
            pid_t thread = (pid_t)atoi(entry->d_name);

            if (thread > 0 && thread != self)
                syscall(SYS_tgkill, process, thread, *(int *)signal_number);
        }
        if (tasks != NULL)
            closedir(tasks);
        sched_yield();
    }
    return NULL;
}

enum { THREADS = 4, MESSAGES = 60 };

struct speaker {
    void *alice, *bob;
    int number, messages;
};

/* Each speaks in a channel of its own; what alice says, bob hears. */
static void *speak(void *argument)
{
    struct speaker *speaker = argument;
    char channel[32], id[32], *error = NULL;
    int i;

    snprintf(channel, sizeof channel, "c%d", speaker->number);
    for (i = 0; i < speaker->messages; i++) {
        uint8_t *message = NULL;
        size_t length = 0;
        SdsUnwrapped *result = NULL;

        snprintf(id, sizeof id, "m%d", i);
        EXPECT_STATUS(SdsWrap(speaker->alice, channel, id, "hello", 5, &message, &length, &error), SDS_OK);
        EXPECT_STATUS(SdsUnwrap(speaker->bob, message, length, &result, &error), SDS_OK);
        SdsFree(result);
        SdsFree(message);
    }
    return NULL;
}

static void count_ready(const SdsEvent *event, void *userData)
{
    if (event->type == SDS_EVENT_MESSAGE_READY)
        atomic_fetch_add((atomic_int *)userData, 1);
}

static atomic_int complaints;

static void count_complaints(int level, const char *line, size_t length, void *userData)
{
    (void)level;
    (void)length;
    (void)userData;
    if (atomic_fetch_add(&complaints, 1) < 3)
        printf("    %s\n", line);
}

static void *open_kept(const char *name, const char *folder, const char *sync, SdsEventHandler handler, void *userData)
{
    char config[600], *error = NULL;
    SdsOptions options = {0};
    void *ctx = NULL;

    snprintf(config, sizeof config,
             "{\"storePath\":\"%s/%s\",\"storeSync\":\"%s\"," SMALL_FILTER ",\"bufferSweepIntervalMs\":5,"
             "\"repairSweepIntervalMs\":5,\"syncMessageIntervalMs\":5}",
             folder, name, sync);
    options.size = sizeof options;
    options.participantId = name;
    options.configJson = config;
    options.eventHandler = handler;
    options.eventUserData = userData;
    EXPECT_STATUS(SdsOpen(&options, &ctx, &error), SDS_OK);
    EXPECT_STATUS(SdsStart(ctx, &error), SDS_OK);
    return ctx;
}

/* speak_with_stores is a life with two stores, three restarts included. */
static void speak_with_stores(const char *folder, const char *sync)
{
    atomic_int ready = 0;
    int lives = 3, messages = scaled(MESSAGES), life, i, j;
    char *error = NULL;
    void *bob;

    for (life = 0; life < lives; life++) {
        void *alice = open_kept("alice", folder, sync, NULL, NULL);
        pthread_t threads[THREADS];
        struct speaker speakers[THREADS];

        bob = open_kept("bob", folder, sync, count_ready, &ready);
        for (i = 0; i < THREADS; i++) {
            speakers[i] = (struct speaker){alice, bob, life * THREADS + i, messages};
            pthread_create(&threads[i], NULL, speak, &speakers[i]);
        }
        for (i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        close_native(alice);
        close_native(bob);
    }
    EXPECT_NUMBER(atomic_load(&ready), lives * THREADS * messages);

    /* All of it is in the file. */
    bob = open_kept("bob", folder, sync, count_ready, &ready);
    for (i = 0; i < lives * THREADS; i++) {
        char channel[32], id[32], *json = NULL;

        snprintf(channel, sizeof channel, "c%d", i);
        EXPECT_STATUS(SdsEnsureChannel(bob, channel, &error), SDS_OK);
        EXPECT_STATUS(SdsInspect(bob, channel, &json, &error), SDS_OK);
        for (j = 0; j < messages; j++) {
            snprintf(id, sizeof id, "\"m%d\"", j);
            EXPECT(json != NULL && strstr(json, id) != NULL);
        }
        SdsFree(json);
    }
    close_native(bob);
    EXPECT_NUMBER(atomic_load(&ready), lives * THREADS * messages);
}

/* in_the_rain runs a life while a signal rains on all threads. */
static void in_the_rain(int signal_number, const char *sync)
{
    const char *temporary = getenv("TMPDIR");
    char folder[256], command[300];
    struct sigaction action, before;
    pthread_t rainmaker;

    snprintf(folder, sizeof folder, "%s/libsds-interrupts-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (!EXPECT(mkdtemp(folder) != NULL))
        return;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK; /* and no SA_RESTART */
    sigaction(signal_number, &action, &before);
    atomic_store(&handled, 0);
    atomic_store(&raining, 1);
    pthread_create(&rainmaker, NULL, rain, &signal_number);
    SdsSetLogHandler(count_complaints, 4, NULL);
    speak_with_stores(folder, sync);
    SdsSetLogHandler(NULL, 0, NULL);
    atomic_store(&raining, 0);
    pthread_join(rainmaker, NULL);
    signal(signal_number, SIG_IGN); /* what is still under way */
    sleep_ms(20);
    sigaction(signal_number, &before, NULL);
    EXPECT_NUMBER(atomic_load(&complaints), 0);
    EXPECT(atomic_load(&handled) > 100);
    printf("    %d signals were handled\n", atomic_load(&handled));
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    EXPECT_NUMBER(system(command), 0);
}

static void nothing_is_lost_in_a_rain_of_signals(void) { in_the_rain(SIGUSR1, "full"); }

static void nothing_is_lost_with_shared_commits_either(void) { in_the_rain(SIGUSR2, "batch"); }

/* This one interrupts the library's threads, too. */
static void nothing_is_lost_in_a_rain_of_sigchld(void) { in_the_rain(SIGCHLD, "full"); }

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(nothing_is_lost_in_a_rain_of_signals);
    RUN(nothing_is_lost_with_shared_commits_either);
    RUN(nothing_is_lost_in_a_rain_of_sigchld);
    return expect_end();
}
