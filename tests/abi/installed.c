/* The smallest host, as a user of an installed library would write it; C and C++ read this file. */
#include <libsds.h>

#include <stdio.h>

static int failures;

static void expect_ok(int callerRet, const char *msg, size_t len, void *userData)
{
    (void)userData;
    if (callerRet != RET_OK) {
        printf("%.*s\n", (int)len, msg);
        failures++;
    }
}

int main(void)
{
    char content[] = "hello";
    void *ctx = SdsNewReliabilityManager(expect_ok, NULL);

    if (ctx == NULL)
        return 1;
    if (SdsWrapOutgoingMessage(ctx, content, sizeof content, "m1", "channel", expect_ok, NULL) != RET_OK)
        failures++;
    if (SdsCleanupReliabilityManager(ctx, expect_ok, NULL) != RET_OK)
        failures++;
    return failures > 0;
}
