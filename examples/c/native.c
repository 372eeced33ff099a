/*
 * native.c - the shortest complete host of libsds: the file to copy from first.
 *
 * Alice and bob are two participants in one process, on a network that loses a message. Bob
 * notices and ends, starts again from his file, asks for what is missing, and gets it.
 *
 * To make it yours, put your transport into transmit() and receive(), your user into say() and
 * on_event(), and your loop into run(). A host that may be killed at any moment has a little more to
 * do: chat_participant.c says what.
 */
#define _POSIX_C_SOURCE 200809L

#include <libsds.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct peer {
    const char *name;
    void *ctx;
    int confirmed; /* how many own messages were acknowledged */
} alice, bob;

static int losing;  /* the network loses what is sent now */
static int failed;  /* the exit status */
static char *error; /* what the last call says; one thread, so one variable does */

/* The one place for errors: what a call of the library returns passes through it. */
static int ok(int status)
{
    if (status != SDS_OK) {
        fprintf(stderr, "native: %s\n", error != NULL ? error : SdsStatusString(status));
        failed = 1;
    }
    SdsFree(error);
    error = NULL;
    return status == SDS_OK;
}

/* Takes in what the network brings, all of it. What is delivered comes as an event. */
static void receive(struct peer *p, const uint8_t *payload, size_t len)
{
    SdsUnwrapped *m;
    int status = SdsUnwrap(p->ctx, payload, len, &m, &error);

    if (status == SDS_ERR_DESERIALIZATION) {
        printf("%-5s hears, from somebody without SDS: %.*s\n", p->name, (int)len, (const char *)payload);
        status = SDS_OK;
    }
    ok(status);
    SdsFree(m); /* it has the sender, too, and what the message waits for */
}

/* Broadcasts a payload. This network is a call. */
static void transmit(struct peer *from, const uint8_t *payload, size_t len)
{
    if (!losing)
        receive(from == &alice ? &bob : &alice, payload, len);
}

static void say(struct peer *p, const char *id, const char *text)
{
    uint8_t *payload;
    size_t len;

    printf("%-5s says  %s: %s%s\n", p->name, id, text, losing ? " (but that is lost)" : "");
    if (ok(SdsWrap(p->ctx, "garden", id, text, strlen(text), &payload, &len, &error)))
        transmit(p, payload, len);
    SdsFree(payload);
}

/* What the library announces, from inside its functions. */
static void on_event(const SdsEvent *event, void *user)
{
    struct peer *p = (struct peer *)user;
    uint8_t *payload;
    size_t len;

    switch (event->type) {
    case SDS_EVENT_MESSAGE_READY: /* delivered, in causal order */
        printf("%-5s hears %s: %.*s\n", p->name, event->messageId, (int)event->messageLen, (const char *)event->message);
        break;
    case SDS_EVENT_MISSING_DEPENDENCIES: /* a host with an archive looks there: SdsMarkMet */
    case SDS_EVENT_DEPENDENCIES_LOST:
        for (size_t i = 0; i < event->depCount; i++)
            printf("%-5s %s %s\n", p->name, event->type == SDS_EVENT_MISSING_DEPENDENCIES ? "lacks" : "goes on without",
                   event->deps[i].messageId);
        break;
    case SDS_EVENT_PERIODIC_SYNC: /* tells peers what was received, and asks for what is missing */
        for (size_t i = 0; i < event->channelCount; i++) {
            if (ok(SdsWrapSync(p->ctx, event->channelIds[i], &payload, &len, &error)))
                transmit(p, payload, len);
            SdsFree(payload);
        }
        break;
    case SDS_EVENT_REPAIR_READY: /* a peer asked for it */
    case SDS_EVENT_RESEND_READY: /* nobody acknowledged it */
        printf("%-5s sends %s again\n", p->name, event->messageId);
        transmit(p, event->message, event->messageLen);
        break;
    case SDS_EVENT_MESSAGE_SENT:
        printf("%-5s knows that %s has arrived\n", p->name, event->messageId);
        p->confirmed++;
        break;
    case SDS_EVENT_DELIVERY_FAILED:
        printf("%-5s gives %s up: nobody acknowledged it\n", p->name, event->messageId);
        break;
    } /* later versions may have further events */
}

static int open_peer(struct peer *p, const char *name, const char *config)
{
    SdsOptions options;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.participantId = p->name = name;
    options.configJson = config;
    options.eventHandler = on_event;
    options.eventUserData = p;
    return ok(SdsOpen(&options, &p->ctx, &error));
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Does what is due for a participant, and tells when it wants to be called again. */
static int64_t tick(struct peer *p)
{
    int64_t next;

    ok(SdsTick(p->ctx, now(), &next, &error));
    return next;
}

/* The loop of the host. It ends when all that alice said has arrived. */
static void run(void)
{
    int64_t end = now() + 60000;

    while (!failed && alice.confirmed < 3 && now() < end) {
        int64_t first = tick(&alice), second = tick(&bob);
        int64_t wait = (first < second ? first : second) - now();

        poll(NULL, 0, wait > 0 ? (int)wait : 0); /* and, in a real host, for its sockets */
    }
}

static void talk(const char *file)
{
    char config[256];

    /* Intervals for people who watch; the defaults are for networks. */
    snprintf(config, sizeof config,
             "{\"storePath\": \"%s\", \"syncMessageIntervalMs\": 100, \"repairTMinMs\": 0, \"repairTMaxMs\": 1000}",
             file);
    if (!open_peer(&alice, "alice", "{\"repairSweepIntervalMs\": 100}") || !open_peer(&bob, "bob", config))
        return;
    say(&alice, "m1", "The beans are up.");
    losing = 1;
    say(&alice, "m2", "Frost tonight!");
    losing = 0;
    say(&alice, "m3", "Cover them.");

    puts("      (bob ends, and starts again from his file)");
    if (ok(SdsClose(bob.ctx)) && open_peer(&bob, "bob", config))
        run();
}

int main(void)
{
    char folder[] = "/tmp/native-XXXXXX", file[64];

    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    snprintf(file, sizeof file, "%s/bob.sds", folder);
    talk(file);
    if (alice.ctx != NULL)
        ok(SdsClose(alice.ctx));
    if (bob.ctx != NULL)
        ok(SdsClose(bob.ctx));
    unlink(file);
    rmdir(folder);
    return failed || alice.confirmed < 3;
}
