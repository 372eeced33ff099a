/*
 * matrix_expected.h: what the header says of each misuse.
 */
#ifndef MATRIX_EXPECTED_H
#define MATRIX_EXPECTED_H

#include "matrix_misuses.h"

struct expected {
    const char *misuse;
    /* Names or families; the first row that is of both the misuse and the function counts. */
    const char *functions;
    /* The result as the table shows it, and behind ": " how the text begins. */
    const char *result;
};

/* An id is quoted up to here. */
#define TEN(letter) letter letter letter letter letter letter letter letter letter letter
#define HUNDRED(letter) TEN(TEN(letter))
#define IN_LOADING "PERSISTENCE: channel \"loaded\": "

static const struct expected expected[] = {
    /* Nothing is wrong with the arguments. */
    {"right", "native", "OK"},
    {"right", "callback", "RET_OK"},
    {"right", "constructor", "a context"},
    {"right", "setter", "set"},
    {"right", "SdsLoadMeta SdsLoadMessage SdsLoadHint", "taken"},
    {"right", "SdsFail", IN_LOADING "the host's words"},
    {"right", "anywhere", "works"},

    {"twice in a row", "SdsClose", "INVALID_CONTEXT"},
    {"twice in a row", "SdsCleanupReliabilityManager", "RET_ERR: invalid context"},
    {"twice in a row", "SdsLoadMeta", IN_LOADING "SdsLoadMeta: called a second time"},
    {"twice in a row", "SdsLoadMessage SdsLoadHint", "taken"},
    {"twice in a row", "SdsFail", IN_LOADING "the host's words"},
    {"twice in a row", "native", "OK"},
    {"twice in a row", "callback", "RET_OK"},
    {"twice in a row", "constructor", "a context"},
    {"twice in a row", "setter", "set"},
    {"twice in a row", "anywhere", "works"},

    {"on 64 threads at once", "SdsClose", "OK once, else INVALID_CONTEXT"},
    {"on 64 threads at once", "SdsCleanupReliabilityManager", "RET_OK once, else RET_ERR: invalid context"},
    {"on 64 threads at once", "SdsLoadMeta", IN_LOADING "SdsLoadMeta: called a second time"},
    {"on 64 threads at once", "SdsLoadMessage SdsLoadHint", "taken"},
    {"on 64 threads at once", "SdsFail", IN_LOADING "the host's words"},
    {"on 64 threads at once", "native", "OK"},
    {"on 64 threads at once", "callback", "RET_OK"},
    {"on 64 threads at once", "constructor", "a context"},
    {"on 64 threads at once", "setter", "set"},
    {"on 64 threads at once", "anywhere", "works"},

    {"in a forked child", "SdsClose SdsSetEventHandler SdsSetLogHandler", "FORKED"},
    {"in a forked child", "native", "FORKED: used in a forked child process"},
    {"in a forked child", "callback", "RET_ERR: used in a forked child process"},
    {"in a forked child", "constructor", "NULL: used in a forked child process"},
    {"in a forked child", "setter helper", "nothing"},
    {"in a forked child", "anywhere", "works"},

    {"in a context of the other API", "native", "OK"},
    {"in a context of the other API", "callback", "RET_OK"},
    {"in a context of the other API", "setter", "set"},

    {"after a handler closed the context, in it", "SdsClose SdsSetEventHandler", "INVALID_CONTEXT"},
    {"after a handler closed the context, in it", "native", "INVALID_CONTEXT: invalid context"},
    {"after a handler closed the context, in it", "callback", "RET_ERR: invalid context"},
    {"after a handler closed the context, in it", "setter", "nothing"},
    {"after a result callback closed the context, in it", "SdsClose SdsSetEventHandler", "INVALID_CONTEXT"},
    {"after a result callback closed the context, in it", "native", "INVALID_CONTEXT: invalid context"},
    {"after a result callback closed the context, in it", "callback", "RET_ERR: invalid context"},
    {"after a result callback closed the context, in it", "setter", "nothing"},

/* From inside callbacks everything works as it does outside. */
#define WORKS_INSIDE(place)                                                                  \
    {place, "SdsSetPersistence", "INVALID_ARGUMENT: there are channels already"}, \
        {place, "native", "OK"}, {place, "callback", "RET_OK"}, {place, "constructor", "a context"}, \
        {place, "setter", "set"}, {place, "helper", "nothing"}, {place, "anywhere", "works"}
    WORKS_INSIDE("an event handler"),
    WORKS_INSIDE("an event callback"),
    WORKS_INSIDE("a result callback"),

/* From inside what runs while something is locked, nothing but what works anywhere. */
#define REFUSED_INSIDE(place, words)                                                       \
    {place, "SdsClose SdsSetEventHandler SdsSetLogHandler", "INVALID_ARGUMENT"},           \
        {place, "native", "INVALID_ARGUMENT: called from inside " words},                  \
        {place, "callback", "RET_ERR: called from inside " words},                         \
        {place, "constructor", "NULL: called from inside " words}, {place, "setter", "nothing"}, \
        {place, "anywhere", "works"}
    REFUSED_INSIDE("a hint provider", "a retrieval hint provider"),
    {"a hint provider", "helper", "nothing"},
    REFUSED_INSIDE("a log handler", "a log handler"),
    {"a log handler", "helper", "nothing"},
    REFUSED_INSIDE("loadChannel", "a persistence procedure"),
    {"loadChannel", "SdsLoadMeta SdsLoadMessage SdsLoadHint", "taken"},
    {"loadChannel", "SdsFail", IN_LOADING "the host's words"},
    {"dropChannel", "SdsLoadMeta", "PERSISTENCE: channel \"channel\": SdsLoadMeta: called from inside dropChannel"},
    {"dropChannel", "SdsLoadMessage",
     "PERSISTENCE: channel \"channel\": SdsLoadMessage: called from inside dropChannel"},
    {"dropChannel", "SdsLoadHint", "PERSISTENCE: channel \"channel\": SdsLoadHint: called from inside dropChannel"},
    {"dropChannel", "SdsFail", "PERSISTENCE: channel \"channel\": the host's words"},

    /* At another moment. */
    {"after SdsStart", "SdsTick", "INVALID_ARGUMENT: the library's timer was started"},
    {"after SdsStart", "native", "OK"},
    {"after SdsStart", "callback", "RET_OK"},
    {"after SdsStart", "setter", "set"},
    {"after SdsTick", "SdsStart", "INVALID_ARGUMENT: SdsTick drives this context"},
    {"after SdsTick", "SdsStartPeriodicTasks", "reInvalidArgument: invalid argument: SdsTick drives this context"},
    {"after SdsTick", "native", "OK"},
    {"after SdsTick", "callback", "RET_OK"},
    {"after SdsTick", "setter", "set"},
    {"after the first channel", "SdsSetPersistence", "INVALID_ARGUMENT: there are channels already"},
    {"after the first channel", "native", "OK"},
    {"after the first channel", "callback", "RET_OK"},
    {"after the first channel", "setter", "set"},
    {"of an unknown channel", "SdsMarkMet SdsInspect", "INVALID_ARGUMENT: channel \"unknown\": "},
    {"of an unknown channel", "SdsMarkDependenciesMet", "reInvalidArgument"},
    {"of an unknown channel", "native", "OK"},
    {"of an unknown channel", "callback", "RET_OK"},

/* A context that is none is an error, and a call that is none is nothing. */
#define NO_CONTEXT(what)                                                                          \
    {what, "SdsClose SdsSetEventHandler", "INVALID_CONTEXT"},                                     \
        {what, "native", "INVALID_CONTEXT: invalid context"}, {what, "callback", "RET_ERR: invalid context"}, \
        {what, "setter helper", "nothing"}
    NO_CONTEXT("NULL"),
    NO_CONTEXT("closed, or over"),
    NO_CONTEXT("on the stack"),
    NO_CONTEXT("malloc'ed"),
    NO_CONTEXT("1"),
    NO_CONTEXT("UINTPTR_MAX"),
    NO_CONTEXT("a context + 1"),
    NO_CONTEXT("a context + 8"),
    NO_CONTEXT("an SdsUnwrapped"),
    NO_CONTEXT("a payload of SdsWrap"),
    NO_CONTEXT("an SdsCall, or a context"),

    /* NULL as an id, bytes or a list. */
    {"channelId NULL", "native", "INVALID_ARGUMENT: channel ID pointer is NULL"},
    {"channelId NULL", "callback", "RET_ERR: channel ID pointer is NULL"},
    {"messageId NULL", "native", "INVALID_ARGUMENT: message ID pointer is NULL"},
    {"messageId NULL", "callback", "RET_ERR: message ID pointer is NULL"},
    {"messageId NULL", "SdsLoadHint", IN_LOADING "SdsLoadHint: message ID pointer is NULL"},
    {"bytes NULL", "SdsUnwrap", "INVALID_ARGUMENT: message pointer is NULL but length > 0"},
    {"bytes NULL", "native", "INVALID_ARGUMENT: content pointer is NULL but length > 0"},
    {"bytes NULL", "callback", "RET_ERR: message pointer is NULL but length > 0"},
    {"bytes NULL", "SdsLoadMeta", IN_LOADING "SdsLoadMeta: the pointer is NULL but the length is 5"},
    {"bytes NULL", "SdsLoadMessage", IN_LOADING "SdsLoadMessage: the pointer is NULL but the length is 5"},
    {"bytes NULL", "SdsLoadHint", IN_LOADING "SdsLoadHint: the pointer is NULL but the length is 5"},
    {"messageIds NULL", "native", "INVALID_ARGUMENT: message IDs pointer is NULL but count > 0"},
    {"messageIds NULL", "callback", "RET_ERR: MessageIDs pointer is NULL but count > 0"},
    {"one of messageIds NULL", "native", "INVALID_ARGUMENT: message ID 1 pointer is NULL"},
    {"one of messageIds NULL", "callback", "RET_ERR: message ID pointer is NULL"},
    {"reason NULL", "SdsFail", "nothing"},
    {"memory NULL", "SdsFree", "works"},

    /* NULL as an output or a callback. */
    {"output NULL", "SdsOpen", "INVALID_ARGUMENT: the output ctx is NULL"},
    {"output NULL", "SdsWrap SdsWrapSync SdsWrapEphemeral", "INVALID_ARGUMENT: the output message is NULL"},
    {"output NULL", "SdsUnwrap", "INVALID_ARGUMENT: the output result is NULL"},
    {"output NULL", "SdsChannels SdsInspect SdsStats", "INVALID_ARGUMENT: the output json is NULL"},
    {"output length NULL", "native", "INVALID_ARGUMENT: the output messageLen is NULL"},
    {"outputs and error NULL", "native", "INVALID_ARGUMENT"},
    {"output and context NULL", "SdsWrap SdsWrapSync SdsWrapEphemeral", "INVALID_ARGUMENT: the output message is NULL"},
    {"output and context NULL", "SdsUnwrap", "INVALID_ARGUMENT: the output result is NULL"},
    {"output and context NULL", "SdsChannels SdsInspect SdsStats", "INVALID_ARGUMENT: the output json is NULL"},
    {"nextUnixMs NULL", "SdsTick", "OK"},
    {"error NULL", "native", "OK"},
    {"error and context NULL", "native", "INVALID_CONTEXT"},
    {"result callback NULL", "callback", "RET_MISSING_CALLBACK"},
    {"result callback NULL", "constructor", "NULL"},
    {"result callback and context NULL", "callback", "RET_MISSING_CALLBACK"},
    {"receiver NULL", "native", "OK"},
    {"receiver NULL", "setter", "nothing"},

    /* NULL in what a context is made of. */
    {"options NULL", "SdsOpen", "OK"},
    {"participantId NULL", "native", "OK"},
    {"participantId NULL", "constructor", "a context"},
    {"configJson NULL", "native", "OK"},
    {"configJson NULL", "constructor", "a context"},
    {"persistence NULL", "native", "OK"},
    {"no procedure", "native", "INVALID_ARGUMENT: SdsPersistence lacks loadChannel"},
    {"loadChannel NULL", "native", "INVALID_ARGUMENT: SdsPersistence lacks loadChannel"},
    {"dropChannel NULL", "native", "INVALID_ARGUMENT: SdsPersistence lacks dropChannel"},
    {"saveChannelMeta NULL", "native", "INVALID_ARGUMENT: SdsPersistence lacks saveChannelMeta"},
    {"updateHistory NULL", "native", "INVALID_ARGUMENT: SdsPersistence lacks updateHistory"},
    {"commit in place of these two", "native", "OK"},

    /* Texts that are too long. A hint for a message that is not in the log is not used. */
    {"channelId of maxIdBytes + 1", "SdsMarkMet", "INVALID_ARGUMENT: channel \"" HUNDRED("i") "\"...: "},
    {"channelId of maxIdBytes + 1", "native",
     "INVALID_ARGUMENT: channel \"" HUNDRED("i") "\"...: channel ID has 1025 bytes"},
    {"channelId of maxIdBytes + 1", "SdsMarkDependenciesMet", "reInvalidArgument"},
    {"channelId of maxIdBytes + 1", "callback", "reInvalidArgument: channel ID has 1025 bytes"},
    {"messageId of maxIdBytes + 1", "native", "INVALID_ARGUMENT: channel \"channel\": message ID has 1025 bytes"},
    {"messageId of maxIdBytes + 1", "callback", "reInvalidArgument: message ID has 1025 bytes"},
    {"messageId of maxIdBytes + 1", "SdsLoadHint", "taken"},
    {"one of messageIds of maxIdBytes + 1", "native",
     "INVALID_ARGUMENT: channel \"channel\": message ID has 1025 bytes"},
    {"one of messageIds of maxIdBytes + 1", "callback", "reInvalidArgument: message ID has 1025 bytes"},
    {"participantId of maxIdBytes + 1", "native", "INVALID_ARGUMENT: participant id has 1025 bytes"},
    {"participantId of maxIdBytes + 1", "constructor", "NULL: participant id has 1025 bytes"},
    {"channelId of 1 MiB", "SdsMarkMet", "INVALID_ARGUMENT: channel \"" HUNDRED("j") "\"...: "},
    {"channelId of 1 MiB", "native", "INVALID_ARGUMENT: channel \"" HUNDRED("j") "\"...: channel ID has 1048576 bytes"},
    {"channelId of 1 MiB", "SdsMarkDependenciesMet", "reInvalidArgument"},
    {"channelId of 1 MiB", "callback", "reInvalidArgument: channel ID has 1048576 bytes"},
    {"messageId of 1 MiB", "native", "INVALID_ARGUMENT: channel \"channel\": message ID has 1048576 bytes"},
    {"messageId of 1 MiB", "callback", "reInvalidArgument: message ID has 1048576 bytes"},
    {"messageId of 1 MiB", "SdsLoadHint", "taken"},
    {"one of messageIds of 1 MiB", "native", "INVALID_ARGUMENT: channel \"channel\": message ID has 1048576 bytes"},
    {"one of messageIds of 1 MiB", "callback", "reInvalidArgument: message ID has 1048576 bytes"},
    {"participantId of 1 MiB", "native", "INVALID_ARGUMENT: participant id has 1048576 bytes"},
    {"participantId of 1 MiB", "constructor", "NULL: participant id has 1048576 bytes"},
    {"configJson of 1 MiB", "native", "INVALID_ARGUMENT: config: it is not a JSON object"},
    {"configJson of 1 MiB", "constructor", "NULL: invalid argument: config: it is not a JSON object"},
    {"reason of 1 MiB", "SdsFail", IN_LOADING "jjjj"},

    /* Lengths and counts that are too large. */
    {"content of maxContentBytes + 1", "native", "MESSAGE_TOO_LARGE: content is too large"},
    {"content of maxContentBytes + 1", "callback", "reMessageTooLarge"},
    {"payload of maxWireBytes + 1", "native", "DESERIALIZATION: message over a limit: the payload is too long"},
    {"payload of maxWireBytes + 1", "callback", "reDeserializationError"},
    {"length SIZE_MAX", "SdsUnwrap", "DESERIALIZATION: message over a limit: the payload is too long"},
    {"length SIZE_MAX", "SdsUnwrapReceivedMessage", "reDeserializationError"},
    {"length SIZE_MAX", "native", "MESSAGE_TOO_LARGE: content is too large"},
    {"length SIZE_MAX", "callback", "reMessageTooLarge"},
    {"length SIZE_MAX", "SdsLoadMeta", IN_LOADING "SdsLoadMeta: a length of 18446744073709551615 bytes"},
    {"length SIZE_MAX", "SdsLoadMessage", IN_LOADING "SdsLoadMessage: a length of 18446744073709551615 bytes"},
    {"length SIZE_MAX", "SdsLoadHint", IN_LOADING "SdsLoadHint: a length of 18446744073709551615 bytes"},
    {"count 1,000,000", "native", "OK"},
    {"count 1,000,000", "callback", "RET_OK"},
    {"count 1,000,001", "native", "INVALID_ARGUMENT: more than 1000000 message IDs"},
    {"count 1,000,001", "callback", "RET_ERR: more than 1000000 message IDs"},
    {"count SIZE_MAX", "native", "INVALID_ARGUMENT: more than 1000000 message IDs"},
    {"count SIZE_MAX", "callback", "RET_ERR: more than 1000000 message IDs"},

    /* Empty texts. */
    {"channelId empty", "native", "INVALID_ARGUMENT: channel ID is empty string"},
    {"channelId empty", "callback", "RET_ERR: channel ID is empty string"},
    {"messageId empty", "native", "INVALID_ARGUMENT: message ID is empty string"},
    {"messageId empty", "callback", "RET_ERR: message ID is empty string"},
    {"messageId empty", "SdsLoadHint", IN_LOADING "SdsLoadHint: message ID is empty string"},
    {"one of messageIds empty", "native", "INVALID_ARGUMENT: message ID 1 is empty string"},
    {"one of messageIds empty", "callback", "RET_ERR: message ID is empty string"},
    {"participantId empty", "native", "OK"},
    {"participantId empty", "constructor", "a context"},
    {"configJson empty", "native", "OK"},
    {"configJson empty", "constructor", "a context"},
    {"reason empty", "SdsFail", "nothing"},

/* No bytes and no ids. Where no meta was saved, it is handed over with a length of 0. */
#define NO_BYTES(what)                                                                           \
    {what, "SdsUnwrap", "DESERIALIZATION: not an SDS message"},                                  \
        {what, "SdsUnwrapReceivedMessage", "reDeserializationError"},                            \
        {what, "native", "INVALID_ARGUMENT: channel \"channel\": content is empty"}, \
        {what, "callback", "reInvalidArgument"}, {what, "SdsLoadMeta SdsLoadHint", "taken"},     \
        {what, "SdsLoadMessage", IN_LOADING "what is kept of the channel is damaged"}
    NO_BYTES("length 0"),
    NO_BYTES("length 0 of NULL"),
    NO_BYTES("length 0 at the address 1"),
    {"count 0", "native", "OK"},
    {"count 0", "callback", "RET_OK"},
    {"count 0 of NULL", "native", "OK"},
    {"count 0 of NULL", "callback", "RET_OK"},

    /* Not UTF-8, or a NUL as C0 80, which native functions and procedures take for one. */
    {"channelId not UTF-8", "SdsMarkMet", "INVALID_ARGUMENT: channel \"c\\xff\": "},
    {"channelId not UTF-8", "native", "INVALID_ARGUMENT: channel \"c\\xff\": channel ID is not valid UTF-8"},
    {"channelId not UTF-8", "SdsMarkDependenciesMet", "reInvalidArgument"},
    {"channelId not UTF-8", "callback", "reInvalidArgument: channel ID is not valid UTF-8"},
    {"messageId not UTF-8", "native", "INVALID_ARGUMENT: channel \"channel\": message ID is not valid UTF-8"},
    {"messageId not UTF-8", "callback", "reInvalidArgument: message ID is not valid UTF-8"},
    {"messageId not UTF-8", "SdsLoadHint", IN_LOADING "SdsLoadHint: message ID is not valid UTF-8"},
    {"one of messageIds not UTF-8", "native", "INVALID_ARGUMENT: channel \"channel\": message ID is not valid UTF-8"},
    {"one of messageIds not UTF-8", "callback", "reInvalidArgument: message ID is not valid UTF-8"},
    {"participantId not UTF-8", "native", "INVALID_ARGUMENT: participant id is not valid UTF-8"},
    {"participantId not UTF-8", "constructor", "NULL: participant id is not valid UTF-8"},
    {"configJson not UTF-8", "native", "INVALID_ARGUMENT: config: "},
    {"configJson not UTF-8", "constructor", "NULL: invalid argument: config: "},
    {"reason not UTF-8", "SdsFail", IN_LOADING "disk \xef\xbf\xbd"},
    {"channelId with C0 80", "SdsMarkMet SdsInspect", "INVALID_ARGUMENT: channel \"c\\x00\": "},
    {"channelId with C0 80", "native", "OK"},
    {"channelId with C0 80", "SdsMarkDependenciesMet", "reInvalidArgument"},
    {"channelId with C0 80", "callback", "reInvalidArgument: channel ID is not valid UTF-8"},
    {"messageId with C0 80", "native", "OK"},
    {"messageId with C0 80", "callback", "reInvalidArgument: message ID is not valid UTF-8"},
    {"messageId with C0 80", "SdsLoadHint", "taken"},
    {"one of messageIds with C0 80", "native", "OK"},
    {"one of messageIds with C0 80", "callback", "reInvalidArgument: message ID is not valid UTF-8"},
    {"participantId with C0 80", "native", "OK"},
    {"participantId with C0 80", "constructor", "NULL: participant id is not valid UTF-8"},

    /* Structs of another size. */
    {"SdsOptions of size 0", "SdsOpen", "INVALID_ARGUMENT: the size of SdsOptions is not set"},
    {"SdsOptions of size 3", "SdsOpen", "INVALID_ARGUMENT: the size of SdsOptions is not set"},
    {"SdsOptions of its size alone", "SdsOpen", "OK"},
    {"SdsOptions that ends within a member", "SdsOpen", "OK"},
    {"larger SdsOptions", "SdsOpen", "OK"},
    {"SdsPersistence of size 0", "native", "INVALID_ARGUMENT: SdsPersistence has a size of 0"},
    {"SdsPersistence of size 3", "native", "INVALID_ARGUMENT: SdsPersistence has a size of 3"},
    {"SdsPersistence without dropChannel", "native",
     "INVALID_ARGUMENT: SdsPersistence has a size of "},
    {"larger SdsPersistence", "native", "OK"},

    /* Configurations. */
    {"configJson that is no JSON", "native", "INVALID_ARGUMENT: config: it is not a JSON object"},
    {"configJson that is no JSON", "constructor", "NULL: invalid argument: config: it is not a JSON object"},
    {"an unknown key", "native", "INVALID_ARGUMENT: config: unknown key \"bogusKey\""},
    {"an unknown key", "constructor", "NULL: invalid argument: config: unknown key \"bogusKey\""},
    {"a value of another type", "native", "INVALID_ARGUMENT: config: \"maxChannels\" takes "},
    {"a value of another type", "constructor", "NULL: invalid argument: config: \"maxChannels\" takes "},
    {"a value out of range", "native", "INVALID_ARGUMENT: config: \"maxChannels\" takes "},
    {"a value out of range", "constructor", "NULL: invalid argument: config: \"maxChannels\" takes "},
    {"a storePath that cannot be opened", "native", "PERSISTENCE: "},
    {"a storePath that cannot be opened", "constructor", "NULL: "},

    /* Limits of the configuration, and procedures that fail. */
    {"maxChannels reached", "SdsWrap SdsWrapSync SdsWrapEphemeral SdsUnwrap SdsEnsureChannel",
     "LIMIT_EXCEEDED: "},
    {"maxChannels reached", "SdsMarkMet SdsInspect", "INVALID_ARGUMENT: channel \"one more\": "},
    {"maxChannels reached", "SdsDropChannel", "OK"},
    {"maxChannels reached", "SdsWrapOutgoingMessage SdsUnwrapReceivedMessage", "reLimitExceeded: "},
    {"maxChannels reached", "SdsMarkDependenciesMet", "reInvalidArgument"},
    {"maxChannels reached", "SdsRemoveChannel", "RET_OK"},
    {"maxOutgoingMessages reached", "SdsWrap", "LIMIT_EXCEEDED: channel \"channel\": "},
    {"maxOutgoingMessages reached", "SdsWrapOutgoingMessage", "reLimitExceeded: "},
    {"maxOutgoingMessages reached", "native", "OK"},
    {"maxOutgoingMessages reached", "callback", "RET_OK"},
    {"acceptUnknownChannels false", "SdsUnwrap", "LIMIT_EXCEEDED: "},
    {"acceptUnknownChannels false", "SdsUnwrapReceivedMessage", "reLimitExceeded: "},
    {"acceptUnknownChannels false", "native", "OK"},
    {"acceptUnknownChannels false", "callback", "RET_OK"},
    {"loadChannel fails", "SdsWrap SdsWrapSync SdsWrapEphemeral SdsEnsureChannel",
     "PERSISTENCE: channel \"another\": loadChannel returned 7"},
    {"loadChannel fails", "SdsUnwrap", "PERSISTENCE: channel \"c\": loadChannel returned 7"},
    {"loadChannel fails", "SdsMarkMet SdsInspect", "INVALID_ARGUMENT: channel \"another\": "},
    {"loadChannel fails", "SdsDropChannel", "PERSISTENCE: channel \"another\": dropChannel returned 7"},
    {"loadChannel fails", "SdsWrapOutgoingMessage SdsUnwrapReceivedMessage",
     "rePersistenceError: loadChannel returned 7"},
    {"loadChannel fails", "SdsMarkDependenciesMet", "reInvalidArgument"},
    {"loadChannel fails", "SdsRemoveChannel", "rePersistenceError: dropChannel returned 7"},
    {"every procedure fails", "SdsUnwrap", "PERSISTENCE: channel \"c\": loadChannel returned 7"},
    {"every procedure fails", "SdsDropChannel SdsReset", "PERSISTENCE: channel \"channel\": dropChannel returned 7"},
    {"every procedure fails", "SdsUnwrapReceivedMessage", "rePersistenceError: loadChannel returned 7"},
    {"every procedure fails", "SdsRemoveChannel SdsResetReliabilityManager",
     "rePersistenceError: dropChannel returned 7"},
    {"every procedure fails", "native", "OK"},
    {"every procedure fails", "callback", "RET_OK"},
    {"every procedure fails", "setter", "set"},

    /* Numbers. */
    {"time -1", "SdsTick", "INVALID_ARGUMENT: the time is -1"},
    {"time in microseconds", "SdsTick", "INVALID_ARGUMENT: the time is 1800000000000000"},
    {"time INT64_MIN", "SdsTick", "INVALID_ARGUMENT: the time is -9223372036854775808"},
    {"time INT64_MAX", "SdsTick", "INVALID_ARGUMENT: the time is 9223372036854775807"},
    {"status -1", "SdsStatusString", "works"},
    {"status 3", "SdsStatusString", "works"},
    {"status INT_MAX", "SdsStatusString", "works"},
};
enum { EXPECTED = sizeof expected / sizeof expected[0] };

#endif
