/* abi.c - what part 1 of the C API costs from C, for tests/bench.
 *
 * Two contexts talk in one channel until both logs are full. Then rounds of
 * calls are timed; one line per figure goes to stdout: its name and the median
 * of the rounds, in nanoseconds per call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libsds.h"

enum { BATCH = 100, ROUNDS = 60, WARM_UP = 60, CONTENT = 1024, LARGEST = 1 << 18 };

static char content[CONTENT];
static unsigned sequence;

/* A result where the library keeps it, which is for a second. */
struct result {
	const char *text;
	size_t size;
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static void on_result(int status, const char *text, size_t size, void *user)
{
	struct result *result = user;

	if (status != RET_OK)
		fail(text);
	if (result != NULL) {
		result->text = text;
		result->size = size;
	}
}

static struct result wrap(void *ctx)
{
	struct result result = {NULL, 0};
	char id[65];

	snprintf(id, sizeof id, "%064u", ++sequence);
	SdsWrapOutgoingMessage(ctx, content, sizeof content, id, "channel", on_result, &result);
	return result;
}

/* Reads the decimal numbers of a wrap result; returns how many there are. */
static size_t parse(struct result result, unsigned char *bytes)
{
	const char *at = result.text, *end = at + result.size;
	size_t size = 0;

	while (at < end) {
		char *next;

		if (size == LARGEST)
			fail("a message is larger than expected");
		bytes[size++] = (unsigned char)strtoul(at, &next, 10);
		at = next + 1;
	}
	return size;
}

/* The yardstick: bytes as decimal text, by a table and nothing else. */
static size_t write_decimal(char *text, const unsigned char *bytes, size_t size)
{
	static char digits[256][4];
	static unsigned char lengths[256];
	char *at = text;
	size_t i;

	if (lengths[0] == 0)
		for (i = 0; i < 256; i++) {
			char number[8];

			lengths[i] = (unsigned char)snprintf(number, sizeof number, "%zu,", i);
			memcpy(digits[i], number, 4);
		}
	for (i = 0; i < size; i++) {
		memcpy(at, digits[bytes[i]], 4);
		at += lengths[bytes[i]];
	}
	return (size_t)(at - text);
}

/* What speaker says, listener hears: both acknowledge what the other has. */
static void tell(void *speaker, void *listener)
{
	static unsigned char bytes[LARGEST];
	size_t size = parse(wrap(speaker), bytes);

	SdsUnwrapReceivedMessage(listener, bytes, size, on_result, NULL);
}

static void *participant(const char *id)
{
	/* One peer is all there is to witness an acknowledgement. */
	void *ctx = SdsNewReliabilityManagerWithConfig(id, "{\"possibleAckThreshold\":1}", on_result, NULL);

	if (ctx == NULL)
		fail("no context");
	SdsSetEventCallback(ctx, on_result, NULL);
	return ctx;
}

static int ascending(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static void report(const char *name, double *rounds)
{
	qsort(rounds, ROUNDS, sizeof *rounds, ascending);
	printf("%s %.1f\n", name, rounds[ROUNDS / 2]);
}

int main(void)
{
	static struct result wrapped[BATCH];
	static unsigned char *payloads[BATCH];
	static size_t sizes[BATCH];
	static double wraps[ROUNDS], unwraps[ROUNDS], texts[ROUNDS], contents[ROUNDS];
	static char text[4 * LARGEST + 4];
	size_t written = 0;
	void *alice = participant("alice"), *bob = participant("bob");
	int round, i;

	for (i = 0; i < CONTENT; i++)
		content[i] = (char)i;
	for (i = 0; i < BATCH; i++)
		if ((payloads[i] = malloc(LARGEST)) == NULL)
			fail("no memory");
	for (round = -WARM_UP; round < ROUNDS; round++) {
		double began = now_ns(), wrapping, unwrapping, writing;

		for (i = 0; i < BATCH; i++)
			wrapped[i] = wrap(alice);
		wrapping = now_ns() - began;
		for (i = 0; i < BATCH; i++)
			sizes[i] = parse(wrapped[i], payloads[i]);
		began = now_ns();
		for (i = 0; i < BATCH; i++)
			SdsUnwrapReceivedMessage(bob, payloads[i], sizes[i], on_result, NULL);
		unwrapping = now_ns() - began;
		began = now_ns();
		for (i = 0; i < BATCH; i++)
			written += write_decimal(text, payloads[i], sizes[i]);
		writing = now_ns() - began;
		began = now_ns();
		for (i = 0; i < BATCH; i++)
			written += write_decimal(text, (unsigned char *)content, sizeof content);
		if (round >= 0)
			contents[round] = (now_ns() - began) / BATCH;
		tell(bob, alice);
		tell(alice, bob);
		if (round >= 0) {
			wraps[round] = wrapping / BATCH;
			unwraps[round] = unwrapping / BATCH;
			texts[round] = writing / BATCH;
		}
	}
	report("wrap", wraps);
	report("unwrap", unwraps);
	report("text", texts);
	report("content", contents);
	if (written == 0) /* nor may the compiler think so */
		fail("nothing was written");
	for (i = 0; i < BATCH; i++)
		free(payloads[i]);
	SdsCleanupReliabilityManager(alice, on_result, NULL);
	SdsCleanupReliabilityManager(bob, on_result, NULL);
	return 0;
}
