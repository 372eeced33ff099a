/*
 * The header alone, twice, with nothing before it; then every name with the
 * type and value that hosts were compiled against. C and C++ read this file.
 */
#include <libsds.h>
#include <libsds.h>

typedef char ret_ok_is_0[RET_OK == 0 ? 1 : -1];
typedef char ret_err_is_1[RET_ERR == 1 ? 1 : -1];
typedef char ret_missing_callback_is_2[RET_MISSING_CALLBACK == 2 ? 1 : -1];

#define IS(name, condition) typedef char name[(condition) ? 1 : -1]

IS(sds_ok_is_0, SDS_OK == 0);
IS(sds_err_is_ret_err, SDS_ERR == RET_ERR);
IS(sds_err_missing_callback_is_ret_missing_callback, SDS_ERR_MISSING_CALLBACK == RET_MISSING_CALLBACK);
IS(sds_err_invalid_argument_is_10, SDS_ERR_INVALID_ARGUMENT == 10);
IS(sds_err_out_of_memory_is_11, SDS_ERR_OUT_OF_MEMORY == 11);
IS(sds_err_internal_is_12, SDS_ERR_INTERNAL == 12);
IS(sds_err_serialization_is_13, SDS_ERR_SERIALIZATION == 13);
IS(sds_err_deserialization_is_14, SDS_ERR_DESERIALIZATION == 14);
IS(sds_err_message_too_large_is_15, SDS_ERR_MESSAGE_TOO_LARGE == 15);
IS(sds_err_persistence_is_16, SDS_ERR_PERSISTENCE == 16);
IS(sds_err_limit_exceeded_is_17, SDS_ERR_LIMIT_EXCEEDED == 17);
IS(sds_err_invalid_context_is_20, SDS_ERR_INVALID_CONTEXT == 20);
IS(sds_err_forked_is_21, SDS_ERR_FORKED == 21);
IS(a_status_is_an_int, sizeof(SdsStatus) == sizeof(int));

/* Structs may grow at their ends: what is there stays where it is. */
#if UINTPTR_MAX == 0xffffffffffffffff
IS(record_is_32_bytes, sizeof(SdsHistoryRecord) == 32);
IS(record_message_id_is_at_0, offsetof(SdsHistoryRecord, messageId) == 0);
IS(record_lamport_is_at_8, offsetof(SdsHistoryRecord, lamport) == 8);
IS(record_message_is_at_16, offsetof(SdsHistoryRecord, message) == 16);
IS(record_message_len_is_at_24, offsetof(SdsHistoryRecord, messageLen) == 24);

IS(persistence_is_56_bytes, sizeof(SdsPersistence) == 56);
IS(persistence_size_is_at_0, offsetof(SdsPersistence, size) == 0);
IS(persistence_save_channel_meta_is_at_8, offsetof(SdsPersistence, saveChannelMeta) == 8);
IS(persistence_update_history_is_at_16, offsetof(SdsPersistence, updateHistory) == 16);
IS(persistence_load_channel_is_at_24, offsetof(SdsPersistence, loadChannel) == 24);
IS(persistence_drop_channel_is_at_32, offsetof(SdsPersistence, dropChannel) == 32);
IS(persistence_set_retrieval_hint_is_at_40, offsetof(SdsPersistence, setRetrievalHint) == 40);
IS(persistence_commit_is_at_48, offsetof(SdsPersistence, commit) == 48);
#endif

/* Each pointer takes its function only if the types are the same. */
struct library {
    void *(*open)(SdsCallBack, void *);
    void *(*open_with_config)(const char *, const char *, SdsCallBack, void *);
    void (*set_events)(void *, SdsCallBack, void *);
    void (*set_hints)(void *, SdsRetrievalHintProvider, void *);
    int (*cleanup)(void *, SdsCallBack, void *);
    int (*reset)(void *, SdsCallBack, void *);
    int (*wrap)(void *, void *, size_t, const char *, const char *, SdsCallBack, void *);
    int (*unwrap)(void *, void *, size_t, SdsCallBack, void *);
    int (*mark)(void *, char **, size_t, const char *, SdsCallBack, void *);
    int (*start)(void *, SdsCallBack, void *);
    int (*remove)(void *, const char *, SdsCallBack, void *);
    void (*free)(void *);
    void (*load_meta)(SdsCall *, const uint8_t *, size_t);
    void (*load_message)(SdsCall *, const uint8_t *, size_t);
    void (*load_hint)(SdsCall *, const char *, const uint8_t *, size_t);
    void (*fail)(SdsCall *, const char *);
    int (*set_persistence)(void *, const SdsPersistence *, void *, char **);
};

struct callbacks {
    void (*result)(int, const char *, size_t, void *);
    void (*hint)(const char *, char **, size_t *, void *);
};

struct library declared_functions(void);
struct library declared_functions(void)
{
    struct library library = {
        SdsNewReliabilityManager,
        SdsNewReliabilityManagerWithConfig,
        SdsSetEventCallback,
        SdsSetRetrievalHintProvider,
        SdsCleanupReliabilityManager,
        SdsResetReliabilityManager,
        SdsWrapOutgoingMessage,
        SdsUnwrapReceivedMessage,
        SdsMarkDependenciesMet,
        SdsStartPeriodicTasks,
        SdsRemoveChannel,
        SdsFree,
        SdsLoadMeta,
        SdsLoadMessage,
        SdsLoadHint,
        SdsFail,
        SdsSetPersistence,
    };

    return library;
}

struct callbacks declared_callbacks(SdsCallBack result, SdsRetrievalHintProvider hint);
struct callbacks declared_callbacks(SdsCallBack result, SdsRetrievalHintProvider hint)
{
    struct callbacks callbacks = {result, hint};

    return callbacks;
}

/* As a host fills it in; the records and ids are read in the types that they have. */
struct procedures {
    int (*save)(SdsCall *, const char *, const uint8_t *, size_t, void *);
    int (*update)(SdsCall *, const char *, const SdsHistoryRecord *, size_t, const char *const *, size_t, void *);
    int (*load)(SdsCall *, const char *, void *);
    int (*drop)(SdsCall *, const char *, void *);
    int (*hint)(SdsCall *, const char *, const char *, const uint8_t *, size_t, void *);
    int (*commit)(SdsCall *, const char *, const uint8_t *, size_t, const SdsHistoryRecord *, size_t,
                  const char *const *, size_t, void *);
};

SdsPersistence declared_persistence(struct procedures host);
SdsPersistence declared_persistence(struct procedures host)
{
    SdsPersistence persistence = {sizeof(SdsPersistence), host.save, host.update, host.load, host.drop, host.hint,
                                  host.commit};

    return persistence;
}

SdsHistoryRecord declared_record(const char *id, int64_t lamport, const uint8_t *message, size_t length);
SdsHistoryRecord declared_record(const char *id, int64_t lamport, const uint8_t *message, size_t length)
{
    SdsHistoryRecord record = {id, lamport, message, length};

    return record;
}
