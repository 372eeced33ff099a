/*
 * operations.h: every function of the ABI that takes a context and returns a
 * code, with arguments that are right, so that a rule can hold for all of them.
 */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "host.h"

struct operation {
    const char *name;
    int (*call)(void *ctx, SdsCallBack callback, void *userData);
};

static int call_wrap(void *ctx, SdsCallBack callback, void *userData)
{
    char content[] = "content";

    return SdsWrapOutgoingMessage(ctx, content, sizeof content - 1, "operation", "channel", callback, userData);
}

/* The smallest message: id "m", lamport 1, channel "c", content "x". */
static int call_unwrap(void *ctx, SdsCallBack callback, void *userData)
{
    unsigned char wire[] = {0x0a, 1, 'm', 0x10, 1, 0x22, 1, 'c', 0x2a, 1, 'x'};

    return SdsUnwrapReceivedMessage(ctx, wire, sizeof wire, callback, userData);
}

static int call_mark(void *ctx, SdsCallBack callback, void *userData)
{
    char id[] = "missing";
    char *ids[] = {id};

    return SdsMarkDependenciesMet(ctx, ids, 1, "channel", callback, userData);
}

static int call_start(void *ctx, SdsCallBack callback, void *userData)
{
    return SdsStartPeriodicTasks(ctx, callback, userData);
}

static int call_remove(void *ctx, SdsCallBack callback, void *userData)
{
    return SdsRemoveChannel(ctx, "channel", callback, userData);
}

static int call_reset(void *ctx, SdsCallBack callback, void *userData)
{
    return SdsResetReliabilityManager(ctx, callback, userData);
}

static int call_cleanup(void *ctx, SdsCallBack callback, void *userData)
{
    return SdsCleanupReliabilityManager(ctx, callback, userData);
}

/* In this order each succeeds on a fresh context: the channel exists before it is marked, cleanup is last. */
static const struct operation operations[] = {
    {"SdsWrapOutgoingMessage", call_wrap},         {"SdsUnwrapReceivedMessage", call_unwrap},
    {"SdsMarkDependenciesMet", call_mark},         {"SdsStartPeriodicTasks", call_start},
    {"SdsRemoveChannel", call_remove},             {"SdsResetReliabilityManager", call_reset},
    {"SdsCleanupReliabilityManager", call_cleanup},
};
enum { OPERATION_COUNT = sizeof operations / sizeof operations[0] };

#endif
