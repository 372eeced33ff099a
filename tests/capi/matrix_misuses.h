/*
 * matrix_misuses.h: what can be wrong with a call, each as a row: what the
 * function has to take for it, what it does to the arguments, and where the call
 * is made.
 */
#ifndef MATRIX_MISUSES_H
#define MATRIX_MISUSES_H

#include "matrix_circumstances.h"

struct misuse {
    const char *name;
    /* The function has to take one of these (0: it need not), and all of those. */
    unsigned any, all;
    void (*spoil)(struct attempt *attempt);
    void (*make)(struct attempt *attempt); /* NULL: straight on */
};

#define SPOILS(name, statement)                     \
    static void name(struct attempt *attempt)       \
    {                                               \
        struct arguments *a = &attempt->arguments;  \
                                                    \
        statement;                                  \
    }

/* ---- contexts and calls that are none ------------------------------------------------ */

/* What a procedure's helper passes beside it would fail the load, if it were taken. */
static void wrong_handle(struct attempt *attempt, void *handle)
{
    attempt->arguments.handle = handle;
    attempt->takes_live = 0;
    if (attempt->function->takes & KEPT) {
        attempt->arguments.bytes = NULL;
        attempt->arguments.length = 5;
    }
}

/* Set by main. */
static long *on_the_stack;

#define HANDLE(name, handle) \
    static void name(struct attempt *attempt) { wrong_handle(attempt, handle); }

HANDLE(handle_null, NULL)
HANDLE(handle_over, attempt->takes_live ? (void *)finished : world.closed)
HANDLE(handle_on_stack, on_the_stack)
HANDLE(handle_on_heap, world.heap)
HANDLE(handle_one, (void *)(uintptr_t)1)
HANDLE(handle_largest, (void *)UINTPTR_MAX)
HANDLE(handle_next, (char *)attempt->ctx + 1)
HANDLE(handle_near, (char *)attempt->ctx + 8)
HANDLE(handle_result, world.result)
HANDLE(handle_message, world.message)
HANDLE(handle_other, attempt->takes_live ? attempt->ctx : (void *)finished)

/* ---- NULL ------------------------------------------------------------------------------ */

static const char *name_and_null[] = {"m1", NULL};

SPOILS(channel_null, a->channel = NULL)
SPOILS(message_null, a->message = NULL)
SPOILS(bytes_null, a->bytes = NULL; a->length = 5)
SPOILS(ids_null, a->ids = NULL)
SPOILS(one_id_null, a->ids = name_and_null)
SPOILS(reason_null, a->reason = NULL)
SPOILS(output_null, a->no_output = 1)
SPOILS(output_length_null, a->no_output_length = 1)
SPOILS(outputs_null, a->no_output = a->no_output_length = a->no_error = 1)
SPOILS(next_null, a->no_next = 1)
SPOILS(error_null, a->no_error = 1)
SPOILS(error_and_context_null, a->no_error = 1; handle_null(attempt))
SPOILS(output_and_context_null, a->no_output = 1; handle_null(attempt))
SPOILS(callback_null, a->callback = NULL)
SPOILS(callback_and_context_null, a->callback = NULL; handle_null(attempt))
SPOILS(receiver_null, a->no_receiver = 1)
SPOILS(memory_null, SdsFree(a->memory); a->memory = NULL)
SPOILS(participant_null, a->participant = NULL)
SPOILS(config_null, a->config = NULL)
SPOILS(options_null, a->no_options = 1)
SPOILS(persistence_null, a->persistence = NULL)

static SdsPersistence no_load, no_drop, no_save, no_update, only_commit, nothing_set;

static SdsPersistence without_save_and_update(void)
{
    SdsPersistence table = procedures;

    table.saveChannelMeta = NULL;
    table.updateHistory = NULL;
    return table;
}

SPOILS(load_null, no_load = procedures; no_load.loadChannel = NULL; a->persistence = &no_load)
SPOILS(drop_null, no_drop = procedures; no_drop.dropChannel = NULL; a->persistence = &no_drop)
SPOILS(save_null, no_save = procedures; no_save.saveChannelMeta = NULL; a->persistence = &no_save)
SPOILS(update_null, no_update = procedures; no_update.updateHistory = NULL; a->persistence = &no_update)
SPOILS(all_null, nothing_set.size = sizeof nothing_set; a->persistence = &nothing_set)
SPOILS(commit_alone, only_commit = without_save_and_update(); only_commit.commit = save_all;
       a->persistence = &only_commit)

/* ---- too long ---------------------------------------------------------------------------- */

static const char *name_and_long_name[2];

static void name_and(struct arguments *a, const char *id)
{
    name_and_long_name[0] = "m1";
    name_and_long_name[1] = id;
    a->ids = name_and_long_name;
}

SPOILS(channel_long, a->channel = world.long_id)
SPOILS(message_long, a->message = world.long_id)
SPOILS(one_id_long, name_and(a, world.long_id))
SPOILS(participant_long, a->participant = world.long_id)
SPOILS(channel_mebibyte, a->channel = world.mebibyte)
SPOILS(message_mebibyte, a->message = world.mebibyte)
SPOILS(one_id_mebibyte, name_and(a, world.mebibyte))
SPOILS(participant_mebibyte, a->participant = world.mebibyte)
SPOILS(config_mebibyte, a->config = world.mebibyte)
SPOILS(reason_mebibyte, a->reason = world.mebibyte)
SPOILS(content_long, a->bytes = world.payload; a->length = DEFAULT_MOST_CONTENT + 1)
SPOILS(payload_long, a->bytes = world.payload; a->length = DEFAULT_MOST_WIRE + 1)
SPOILS(length_endless, a->length = SIZE_MAX)
SPOILS(count_long, a->ids = world.names; a->count = MOST_NAMES + 1)
/* Slow tools need not read them all. */
SPOILS(count_most, a->ids = world.names; a->count = (size_t)scaled(MOST_NAMES))
SPOILS(count_endless, a->count = SIZE_MAX)

/* ---- empty --------------------------------------------------------------------------------- */

static const char *name_and_nothing[] = {"m1", ""};

SPOILS(channel_empty, a->channel = "")
SPOILS(message_empty, a->message = "")
SPOILS(one_id_empty, a->ids = name_and_nothing)
SPOILS(participant_empty, a->participant = "")
SPOILS(config_empty, a->config = "")
SPOILS(reason_empty, a->reason = "")
SPOILS(length_zero, a->length = 0)
SPOILS(nothing_of_bytes, a->bytes = NULL; a->length = 0)
SPOILS(nothing_anywhere, a->bytes = (void *)(uintptr_t)1; a->length = 0)
SPOILS(count_zero, a->count = 0)
SPOILS(nothing_of_ids, a->ids = NULL; a->count = 0)

/* ---- not UTF-8 ------------------------------------------------------------------------------- */

static const char *name_and_no_utf8[] = {"m1", "m\xff"};
static const char *name_and_nul[] = {"m1", "m\xc0\x80"};

SPOILS(channel_no_utf8, a->channel = "c\xff")
SPOILS(message_no_utf8, a->message = "m\xff")
SPOILS(one_id_no_utf8, a->ids = name_and_no_utf8)
SPOILS(participant_no_utf8, a->participant = "p\xff")
SPOILS(config_no_utf8, a->config = "{\"wireFormat\":\"\xff\"}")
SPOILS(reason_no_utf8, a->reason = "disk \xff")
SPOILS(channel_nul, a->channel = "c\xc0\x80")
SPOILS(message_nul, a->message = "m\xc0\x80")
SPOILS(one_id_nul, a->ids = name_and_nul)
SPOILS(participant_nul, a->participant = "p\xc0\x80")
SPOILS(config_no_json, a->config = "nonsense")
SPOILS(config_key, a->config = "{\"bogusKey\":1}")
SPOILS(config_type, a->config = "{\"maxChannels\":\"many\"}")
SPOILS(config_range, a->config = "{\"maxChannels\":-1}")
SPOILS(config_path, a->config = "{\"storePath\":\"/nonexistent/store\"}"; a->persistence = NULL)

/* ---- sizes of structs --------------------------------------------------------------------------- */

/* Nothing that lies beyond `size` may be looked at: this would crash. */
#define NOWHERE ((void *)(uintptr_t)8)

static struct {
    SdsOptions known;
    void *more[8];
} large_options;

static struct {
    SdsPersistence known;
    void *more[8];
} large_table;

static SdsPersistence sized;

static void size_table(struct arguments *a, size_t size)
{
    sized = procedures;
    sized.size = (uint32_t)size;
    a->persistence = &sized;
}

SPOILS(options_none, a->options_size = 0)
SPOILS(options_small, a->options_size = 3)
SPOILS(options_least, a->options_size = sizeof(uint32_t); a->participant = a->config = NOWHERE;
       a->persistence = NOWHERE)
SPOILS(options_part, a->options_size = offsetof(SdsOptions, configJson) + 1; a->config = NOWHERE;
       a->persistence = NOWHERE)
SPOILS(options_large, large_options.known.size = sizeof large_options; large_options.more[0] = NOWHERE;
       a->options = &large_options.known)
SPOILS(table_none, size_table(a, 0))
SPOILS(table_small, size_table(a, 3))
SPOILS(table_part, size_table(a, offsetof(SdsPersistence, dropChannel)))
SPOILS(table_large, large_table.known = procedures; large_table.known.size = sizeof large_table;
       large_table.more[0] = NOWHERE; a->persistence = &large_table.known)

/* ---- numbers --------------------------------------------------------------------------------------- */

SPOILS(channel_unknown, a->channel = "unknown")
SPOILS(time_negative, a->now = -1)
SPOILS(time_fine, a->now = 1800000000000000)
SPOILS(time_least, a->now = INT64_MIN)
SPOILS(time_largest, a->now = INT64_MAX)
SPOILS(status_unknown, a->status = 3)
SPOILS(status_negative, a->status = -1)
SPOILS(status_largest, a->status = 0x7fffffff)

/* A table of the matrix. */
struct group {
    const char *title;
    struct misuse misuses[12];
};

#define HERE 0, 0, NULL
#define TO(any, spoil) any, 0, spoil, NULL

static const struct group groups[] = {
    {"Nothing is wrong with the arguments",
     {
         {"right", HERE, NULL},
         {"twice in a row", HERE, twice_in_a_row},
         {"on 64 threads at once", HERE, on_threads_at_once},
         {"in a forked child", HERE, in_a_forked_child},
         {"in a context of the other API", CONTEXT, 0, NULL, of_the_other_api},
         {"after a handler closed the context, in it", CONTEXT, 0, NULL, after_its_handler_closed_it},
         {"after a result callback closed the context, in it", CONTEXT, 0, NULL, after_a_result_callback_closed_it},
     }},
    {"From inside",
     {
         {"an event handler", HERE, inside_an_event_handler},
         {"an event callback", HERE, inside_an_event_callback},
         {"a result callback", HERE, inside_a_result_callback},
         {"a hint provider", HERE, inside_a_hint_provider},
         {"loadChannel", HERE, inside_a_procedure},
         {"dropChannel", HERE, inside_another_procedure},
         {"a log handler", HERE, inside_a_log_handler},
     }},
    {"At another moment",
     {
         {"after SdsStart", CONTEXT, 0, NULL, after_start},
         {"after SdsTick", CONTEXT, 0, NULL, after_tick},
         {"after the first channel", CONTEXT, 0, NULL, after_the_first_channel},
         {"of an unknown channel", TO(CHANNEL, channel_unknown)},
     }},
    {"A context, or an SdsCall, that is none",
     {
         {"NULL", TO(CONTEXT | CALL, handle_null)},
         {"closed, or over", TO(CONTEXT | CALL, handle_over)},
         {"on the stack", TO(CONTEXT | CALL, handle_on_stack)},
         {"malloc'ed", TO(CONTEXT | CALL, handle_on_heap)},
         {"1", TO(CONTEXT | CALL, handle_one)},
         {"UINTPTR_MAX", TO(CONTEXT | CALL, handle_largest)},
         {"a context + 1", TO(CONTEXT | CALL, handle_next)},
         {"a context + 8", TO(CONTEXT | CALL, handle_near)},
         {"an SdsUnwrapped", TO(CONTEXT | CALL, handle_result)},
         {"a payload of SdsWrap", TO(CONTEXT | CALL, handle_message)},
         {"an SdsCall, or a context", TO(CONTEXT | CALL, handle_other)},
     }},
    {"NULL as an id, bytes or a list",
     {
         {"channelId NULL", TO(CHANNEL, channel_null)},
         {"messageId NULL", TO(MESSAGE, message_null)},
         {"bytes NULL", TO(CONTENT | PAYLOAD | KEPT, bytes_null)},
         {"messageIds NULL", TO(IDS, ids_null)},
         {"one of messageIds NULL", TO(IDS, one_id_null)},
         {"reason NULL", TO(REASON, reason_null)},
         {"memory NULL", TO(MEMORY, memory_null)},
     }},
    {"NULL as an output or a callback",
     {
         {"output NULL", TO(OUTPUT, output_null)},
         {"output length NULL", TO(OUTPUT_LENGTH, output_length_null)},
         {"outputs and error NULL", TO(OUTPUT, outputs_null)},
         {"output and context NULL", 0, OUTPUT | CONTEXT, output_and_context_null, NULL},
         {"nextUnixMs NULL", TO(NEXT, next_null)},
         {"error NULL", TO(EXPLANATION, error_null)},
         {"error and context NULL", 0, EXPLANATION | CONTEXT, error_and_context_null, NULL},
         {"result callback NULL", TO(RESULT, callback_null)},
         {"result callback and context NULL", 0, RESULT | CONTEXT, callback_and_context_null, NULL},
         {"receiver NULL", TO(RECEIVER, receiver_null)},
     }},
    {"NULL in what a context is made of",
     {
         {"options NULL", TO(OPTIONS, options_null)},
         {"participantId NULL", TO(PARTICIPANT, participant_null)},
         {"configJson NULL", TO(CONFIG, config_null)},
         {"persistence NULL", TO(PROCEDURES, persistence_null)},
         {"no procedure", TO(PROCEDURES, all_null)},
         {"loadChannel NULL", TO(PROCEDURES, load_null)},
         {"dropChannel NULL", TO(PROCEDURES, drop_null)},
         {"saveChannelMeta NULL", TO(PROCEDURES, save_null)},
         {"updateHistory NULL", TO(PROCEDURES, update_null)},
         {"commit in place of these two", TO(PROCEDURES, commit_alone)},
     }},
    {"Texts that are too long",
     {
         {"channelId of maxIdBytes + 1", TO(CHANNEL, channel_long)},
         {"messageId of maxIdBytes + 1", TO(MESSAGE, message_long)},
         {"one of messageIds of maxIdBytes + 1", TO(IDS, one_id_long)},
         {"participantId of maxIdBytes + 1", TO(PARTICIPANT, participant_long)},
         {"channelId of 1 MiB", TO(CHANNEL, channel_mebibyte)},
         {"messageId of 1 MiB", TO(MESSAGE, message_mebibyte)},
         {"one of messageIds of 1 MiB", TO(IDS, one_id_mebibyte)},
         {"participantId of 1 MiB", TO(PARTICIPANT, participant_mebibyte)},
         {"configJson of 1 MiB", TO(CONFIG, config_mebibyte)},
         {"reason of 1 MiB", TO(REASON, reason_mebibyte)},
     }},
    {"Lengths and counts that are too large",
     {
         {"content of maxContentBytes + 1", TO(CONTENT, content_long)},
         {"payload of maxWireBytes + 1", TO(PAYLOAD, payload_long)},
         {"length SIZE_MAX", TO(CONTENT | PAYLOAD | KEPT, length_endless)},
         {"count 1,000,000", TO(IDS, count_most)},
         {"count 1,000,001", TO(IDS, count_long)},
         {"count SIZE_MAX", TO(IDS, count_endless)},
     }},
    {"Empty texts",
     {
         {"channelId empty", TO(CHANNEL, channel_empty)},
         {"messageId empty", TO(MESSAGE, message_empty)},
         {"one of messageIds empty", TO(IDS, one_id_empty)},
         {"participantId empty", TO(PARTICIPANT, participant_empty)},
         {"configJson empty", TO(CONFIG, config_empty)},
         {"reason empty", TO(REASON, reason_empty)},
     }},
    {"No bytes and no ids",
     {
         {"length 0", TO(CONTENT | PAYLOAD | KEPT, length_zero)},
         {"length 0 of NULL", TO(CONTENT | PAYLOAD | KEPT, nothing_of_bytes)},
         {"length 0 at the address 1", TO(CONTENT | PAYLOAD | KEPT, nothing_anywhere)},
         {"count 0", TO(IDS, count_zero)},
         {"count 0 of NULL", TO(IDS, nothing_of_ids)},
     }},
    {"Texts that are not UTF-8, or hold a NUL as C0 80",
     {
         {"channelId not UTF-8", TO(CHANNEL, channel_no_utf8)},
         {"messageId not UTF-8", TO(MESSAGE, message_no_utf8)},
         {"one of messageIds not UTF-8", TO(IDS, one_id_no_utf8)},
         {"participantId not UTF-8", TO(PARTICIPANT, participant_no_utf8)},
         {"configJson not UTF-8", TO(CONFIG, config_no_utf8)},
         {"reason not UTF-8", TO(REASON, reason_no_utf8)},
         {"channelId with C0 80", TO(CHANNEL, channel_nul)},
         {"messageId with C0 80", TO(MESSAGE, message_nul)},
         {"one of messageIds with C0 80", TO(IDS, one_id_nul)},
         {"participantId with C0 80", TO(PARTICIPANT, participant_nul)},
     }},
    {"Structs of another size",
     {
         {"SdsOptions of size 0", TO(OPTIONS, options_none)},
         {"SdsOptions of size 3", TO(OPTIONS, options_small)},
         {"SdsOptions of its size alone", TO(OPTIONS, options_least)},
         {"SdsOptions that ends within a member", TO(OPTIONS, options_part)},
         {"larger SdsOptions", TO(OPTIONS, options_large)},
         {"SdsPersistence of size 0", TO(PROCEDURES, table_none)},
         {"SdsPersistence of size 3", TO(PROCEDURES, table_small)},
         {"SdsPersistence without dropChannel", TO(PROCEDURES, table_part)},
         {"larger SdsPersistence", TO(PROCEDURES, table_large)},
     }},
    {"Configurations",
     {
         {"configJson that is no JSON", TO(CONFIG, config_no_json)},
         {"an unknown key", TO(CONFIG, config_key)},
         {"a value of another type", TO(CONFIG, config_type)},
         {"a value out of range", TO(CONFIG, config_range)},
         {"a storePath that cannot be opened", TO(CONFIG, config_path)},
     }},
    {"Limits of the configuration, and procedures that fail",
     {
         {"maxChannels reached", CHANNEL | PAYLOAD, 0, NULL, with_the_most_channels},
         {"maxOutgoingMessages reached", CHANNEL | PAYLOAD, 0, NULL, with_the_most_messages},
         {"acceptUnknownChannels false", CHANNEL | PAYLOAD, 0, NULL, among_strangers},
         {"loadChannel fails", CHANNEL | PAYLOAD, 0, NULL, where_loading_fails},
         {"every procedure fails", CONTEXT, 0, NULL, where_procedures_fail},
     }},
    {"Numbers",
     {
         {"time -1", TO(TIME, time_negative)},
         {"time in microseconds", TO(TIME, time_fine)},
         {"time INT64_MIN", TO(TIME, time_least)},
         {"time INT64_MAX", TO(TIME, time_largest)},
         {"status -1", TO(STATUS, status_negative)},
         {"status 3", TO(STATUS, status_unknown)},
         {"status INT_MAX", TO(STATUS, status_largest)},
     }},
};
enum {
    GROUPS = sizeof groups / sizeof groups[0],
    MOST_MISUSES = sizeof groups[0].misuses / sizeof groups[0].misuses[0]
};

static int applies(const struct misuse *misuse, const struct function *function)
{
    if ((misuse->any != 0 && (function->takes & misuse->any) == 0) || (function->takes & misuse->all) != misuse->all)
        return 0;
    /* To free twice is a host's undoing, and nobody's promise. */
    if (misuse->make == twice_in_a_row && function->takes & MEMORY)
        return 0;
    /* What is inside dropChannel is inside a procedure; it makes a difference for these. */
    return misuse->make != inside_another_procedure || function->family == HELPER;
}

#endif
