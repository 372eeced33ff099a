/*
 * A host with faults, for scripts/check-sanitizers: each build must report the one that
 * it looks for. Not one of tests/capi, which have none.
 */
#include <libsds.h>

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int events; /* of both contexts, and nobody guards it */

static void count(const SdsEvent *event, void *user)
{
    (void)event;
    (void)user;
    events++;
}

/* Callbacks of one context do not overlap. Those of two do. */
static void *converse(void *name)
{
    SdsOptions options = {.size = sizeof options, .participantId = name, .eventHandler = count};
    void *ctx, *peer;
    int i;

    if (SdsOpen(&options, &ctx, NULL) != SDS_OK)
        return NULL;
    options.participantId = "peer";
    options.eventHandler = NULL;
    if (SdsOpen(&options, &peer, NULL) == SDS_OK) {
        for (i = 0; i < 2000; i++) {
            SdsUnwrapped *message;
            uint8_t *payload;
            size_t length;
            char id[16];

            snprintf(id, sizeof id, "m%d", i);
            SdsWrap(peer, "channel", id, "hello", 5, &payload, &length, NULL);
            SdsUnwrap(ctx, payload, length, &message, NULL);
            SdsFree(message);
            SdsFree(payload);
        }
        SdsClose(peer);
    }
    SdsClose(ctx);
    return NULL;
}

static void race(void)
{
    pthread_t threads[2];

    pthread_create(&threads[0], NULL, converse, "alice");
    pthread_create(&threads[1], NULL, converse, "bob");
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

static void overflow(void)
{
    volatile int most = INT_MAX;

    printf("%d\n", most + 1);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "race") == 0)
        race();
    else if (argc == 2 && strcmp(argv[1], "overflow") == 0)
        overflow();
    else
        return 2;
    printf("%d events\n", events);
    return 0;
}
