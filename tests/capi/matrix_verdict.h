/*
 * matrix_verdict.h: what became of an attempt, in words: a result such as
 * INVALID_ARGUMENT, and the text that came with it. What the header says of every
 * outcome is checked on the way: outputs, error, callbacks.
 */
#ifndef MATRIX_VERDICT_H
#define MATRIX_VERDICT_H

#include "matrix_circumstances.h"

struct verdict {
    char result[64];
    char text[512]; /* without "libsds error: " and the like; the beginning of a long one */
};

static const char *status_name(int status)
{
    switch (status) {
    case SDS_OK:
        return "OK";
    case SDS_ERR_INVALID_ARGUMENT:
        return "INVALID_ARGUMENT";
    case SDS_ERR_OUT_OF_MEMORY:
        return "OUT_OF_MEMORY";
    case SDS_ERR_INTERNAL:
        return "INTERNAL";
    case SDS_ERR_DESERIALIZATION:
        return "DESERIALIZATION";
    case SDS_ERR_MESSAGE_TOO_LARGE:
        return "MESSAGE_TOO_LARGE";
    case SDS_ERR_PERSISTENCE:
        return "PERSISTENCE";
    case SDS_ERR_LIMIT_EXCEEDED:
        return "LIMIT_EXCEEDED";
    case SDS_ERR_INVALID_CONTEXT:
        return "INVALID_CONTEXT";
    case SDS_ERR_FORKED:
        return "FORKED";
    }
    return "a status that is none";
}

/* What of a text is after its beginning, which it has to have. */
static void take_text(struct verdict *verdict, const char *text, const char *beginning)
{
    size_t length = strlen(beginning);

    if (EXPECT(text != NULL && strncmp(text, beginning, length) == 0))
        snprintf(verdict->text, sizeof verdict->text, "%s", text + length);
    else
        snprintf(verdict->text, sizeof verdict->text, "%s", text != NULL ? text : "no text");
}

static void judge_status(const struct attempt *attempt, const struct outcome *o, struct verdict *verdict)
{
    unsigned takes = attempt->function->takes;
    const struct arguments *a = &attempt->arguments;
    int ok = o->status == SDS_OK;

    snprintf(verdict->result, sizeof verdict->result, "%s", status_name(o->status));
    if (takes & OUTPUT && !a->no_output)
        EXPECT(ok ? o->output != NULL && o->output != GARBAGE : o->output == NULL);
    if (takes & OUTPUT_LENGTH && !a->no_output_length)
        EXPECT(ok ? o->output_length > 0 && o->output_length != GARBAGE_NUMBER : o->output_length == 0);
    if (takes & NEXT && !a->no_next)
        EXPECT(ok ? o->next > 0 && o->next != GARBAGE_NUMBER : o->next == 0);
    if (!(takes & EXPLANATION) || a->no_error)
        return;
    EXPECT(ok ? o->error == NULL : o->error != NULL && o->error != GARBAGE);
    if (!ok && o->error != GARBAGE)
        take_text(verdict, o->error, "libsds error: ");
}

/* Exactly one callback, and what it says agrees with what the function returned. */
static void judge_answer(const struct attempt *attempt, const struct outcome *o, struct verdict *verdict)
{
    char request[96];
    const char *colon;

    if (attempt->arguments.callback == NULL) {
        EXPECT_NUMBER(o->answer.calls, 0);
        snprintf(verdict->result, sizeof verdict->result, "%s",
                 o->status == RET_MISSING_CALLBACK ? "RET_MISSING_CALLBACK" : "a code that is none");
        return;
    }
    EXPECT_NUMBER(o->answer.calls, 1);
    EXPECT_NUMBER(o->answer.terminated, 1);
    EXPECT(o->status == RET_OK || (o->status == RET_ERR && o->answer.code == RET_ERR));
    snprintf(verdict->result, sizeof verdict->result, "%s", o->status == RET_OK ? "RET_OK" : "RET_ERR");
    if (o->status == RET_ERR)
        take_text(verdict, o->answer.text, "libsds error: ");
    if (o->status != RET_OK || o->answer.code == RET_OK)
        return;
    snprintf(request, sizeof request, "error processing %s request: ", attempt->function->request);
    take_text(verdict, o->answer.text, request);
    colon = strstr(verdict->text, ": ");
    snprintf(verdict->result, sizeof verdict->result, "%.*s",
             (int)(colon != NULL ? (size_t)(colon - verdict->text) : strlen(verdict->text)), verdict->text);
    if (colon != NULL)
        memmove(verdict->text, colon + 2, strlen(colon + 2) + 1);
    else
        verdict->text[0] = '\0';
}

static void judge_constructor(const struct attempt *attempt, const struct outcome *o, struct verdict *verdict)
{
    snprintf(verdict->result, sizeof verdict->result, "%s", o->output != NULL ? "a context" : "NULL");
    if (attempt->arguments.callback == NULL) {
        EXPECT_NUMBER(o->answer.calls, 0);
        return;
    }
    EXPECT_NUMBER(o->answer.calls, 1);
    EXPECT_NUMBER(o->answer.code, o->output != NULL ? RET_OK : RET_ERR);
    if (o->output == NULL)
        take_text(verdict, o->answer.text, "libsds error: ");
    else
        EXPECT_TEXT(o->answer.text, "");
}

/* What was set is heard of when something happens. */
static void judge_setter(struct attempt *attempt, struct verdict *verdict)
{
    atomic_store(&received, 0);
    if (!attempt->is_closed) {
        cause_an_event(attempt);
        cause_a_question(attempt);
    }
    snprintf(verdict->result, sizeof verdict->result, "%s", atomic_load(&received) > 0 ? "set" : "nothing");
}

/* A helper that was called from inside a procedure is judged by how that ended. */
static void judge_helper(const struct attempt *attempt, const struct outcome *o, struct verdict *verdict)
{
    if (o->error == GARBAGE) { /* no procedure ran */
        snprintf(verdict->result, sizeof verdict->result, "nothing");
        return;
    }
    judge_status(attempt, o, verdict);
    if (o->status == SDS_OK) {
        snprintf(verdict->result, sizeof verdict->result, "%s", attempt->takes_live ? "taken" : "nothing");
        return;
    }
    take_text(verdict, o->error, "libsds error: ");
    if (strstr(verdict->text, "Channel returned 1") != NULL) {
        snprintf(verdict->result, sizeof verdict->result, "nothing");
        verdict->text[0] = '\0';
    }
}

static void judge_one(struct attempt *attempt, const struct outcome *o, struct verdict *verdict)
{
    memset(verdict, 0, sizeof *verdict);
    switch (attempt->function->family) {
    case NATIVE:
        judge_status(attempt, o, verdict);
        break;
    case CALLBACK:
        judge_answer(attempt, o, verdict);
        break;
    case CONSTRUCTOR:
        judge_constructor(attempt, o, verdict);
        break;
    case SETTER:
        judge_setter(attempt, verdict);
        break;
    case HELPER:
        judge_helper(attempt, o, verdict);
        break;
    case ANYWHERE:
        EXPECT_NUMBER(o->status, 1);
        snprintf(verdict->result, sizeof verdict->result, "works");
    }
}

/* Of many threads either all got the same, or one got what the others then could not. */
static void judge(struct attempt *attempt, struct verdict *verdict)
{
    struct verdict first, other = {"", ""};
    int first_count = 1, i;

    if (attempt->other_count == 0) {
        judge_one(attempt, &attempt->outcome, verdict);
        return;
    }
    judge_one(attempt, &attempt->others[0], &first);
    for (i = 1; i < attempt->other_count; i++) {
        struct verdict one;

        judge_one(attempt, &attempt->others[i], &one);
        if (strcmp(one.result, first.result) == 0)
            first_count++;
        else
            other = one;
    }
    *verdict = first;
    if (first_count == attempt->other_count)
        return;
    if (first_count > 1) {
        struct verdict swapped = first;

        first = other;
        other = swapped;
    }
    *verdict = other;
    EXPECT(first_count == 1 || first_count == attempt->other_count - 1);
    snprintf(verdict->result, sizeof verdict->result, "%.24s once, else %.24s", first.result, other.result);
}

#endif
