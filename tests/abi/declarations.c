/*
 * The header alone, twice, with nothing before it; then every name with the
 * type and value that hosts were compiled against. C and C++ read this file.
 */
#include <libsds.h>
#include <libsds.h>

typedef char ret_ok_is_0[RET_OK == 0 ? 1 : -1];
typedef char ret_err_is_1[RET_ERR == 1 ? 1 : -1];
typedef char ret_missing_callback_is_2[RET_MISSING_CALLBACK == 2 ? 1 : -1];

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
    };

    return library;
}

struct callbacks declared_callbacks(SdsCallBack result, SdsRetrievalHintProvider hint);
struct callbacks declared_callbacks(SdsCallBack result, SdsRetrievalHintProvider hint)
{
    struct callbacks callbacks = {result, hint};

    return callbacks;
}
