/*
 * matrix_table.h: the matrix as Markdown, for tests/abi/matrix.md.
 */
#ifndef MATRIX_TABLE_H
#define MATRIX_TABLE_H

#include "matrix_misuses.h"
#include "matrix_verdict.h"

struct cell {
    int applies;
    struct verdict verdict;
};

struct matrix {
    struct cell cells[GROUPS][MOST_MISUSES][FUNCTIONS];
    int misuses, applying;
    long checks;
};

static void write_intro(FILE *file)
{
    fputs("# Every function, every misuse\n"
          "\n"
          "What each exported function did with each misuse, as `tests/capi/matrix.c` ran it. `make matrix`\n"
          "makes this file; `scripts/check-matrix` fails when a fresh run gives another one. The host itself\n"
          "fails where a result is not what the header says (`tests/capi/matrix_expected.h`).\n"
          "\n"
          "Checked in every cell, too: outputs are NULL and 0 unless the call succeeded; `error` is NULL if it\n"
          "did, and otherwise a text that begins with \"libsds error: \"; there was exactly one result callback;\n"
          "everything that was returned is freed once; afterwards the context wraps a message and closes,\n"
          "unless it was ended. Under valgrind and the sanitizers, nothing is read that is not there, and\n"
          "nothing leaks.\n"
          "\n"
          "- `OK`, `INVALID_ARGUMENT` and so on are the SdsStatus without SDS_ and SDS_ERR_.\n"
          "- `RET_OK`: the function returned that, and the callback got it. `RET_ERR`: both were that.\n"
          "- `reMessageTooLarge` and the like: the function returned RET_OK, and the callback got RET_ERR with\n"
          "  \"error processing WRAP_MESSAGE request: reMessageTooLarge\", or what the request is called.\n"
          "- `a context`, `NULL`: what a constructor returned.\n"
          "- `set`, `nothing`: what is set without a status was called afterwards, or not.\n"
          "- `taken`: SdsLoadMeta, SdsLoadMessage, SdsLoadHint were called from inside loadChannel, and the load\n"
          "  succeeded; a status: it failed, with this. `nothing`: the procedure ended as if there had been no call.\n"
          "- `works`: of the four functions that work anywhere.\n"
          "- [1]: the text that came, without its beginning; it stands below the table.\n"
          "- `-`: the function takes no such thing. Functions to which nothing in a table applies are left\n"
          "  out of it.\n",
          file);
}

enum { MOST_TEXT = 150 };

/* A text of the library in a line of Markdown: what is no letter of ASCII, or means something there, is escaped. */
static void write_text(FILE *file, const char *text)
{
    const char *begin = text;

    for (; *text != '\0' && text < begin + MOST_TEXT; text++)
        if (*text == '|' || *text == '`' || (unsigned char)*text < ' ' || (unsigned char)*text > '~')
            fprintf(file, "\\x%02x", (unsigned char)*text);
        else
            fputc(*text, file);
}

/* The number of a text within its group; 0 for none. */
static int note_of(const char *notes[], int *count, const char *text)
{
    int i;

    if (text[0] == '\0')
        return 0;
    for (i = 0; i < *count; i++)
        if (strcmp(notes[i], text) == 0)
            return i + 1;
    notes[(*count)++] = text;
    return *count;
}

static void write_cell(FILE *file, const struct cell *cell, const char *notes[], int *count)
{
    int note;

    if (!cell->applies) {
        fputs(" - |", file);
        return;
    }
    note = note_of(notes, count, cell->verdict.text);
    if (note > 0)
        fprintf(file, " %s [%d] |", cell->verdict.result, note);
    else
        fprintf(file, " %s |", cell->verdict.result);
}

static void write_group(FILE *file, const struct matrix *matrix, int group)
{
    static const char *notes[MOST_MISUSES * FUNCTIONS];
    int count = 0, function, i;

    fprintf(file, "\n## %s\n\n| function |", groups[group].title);
    for (i = 0; i < MOST_MISUSES && groups[group].misuses[i].name != NULL; i++)
        fprintf(file, " %s |", groups[group].misuses[i].name);
    fputs("\n|---|", file);
    while (i-- > 0)
        fputs("---|", file);
    fputc('\n', file);
    for (function = 0; function < FUNCTIONS; function++) {
        int any = 0;

        for (i = 0; i < MOST_MISUSES; i++)
            any |= matrix->cells[group][i][function].applies;
        if (!any)
            continue;
        fprintf(file, "| %s |", functions[function].name);
        for (i = 0; i < MOST_MISUSES && groups[group].misuses[i].name != NULL; i++)
            write_cell(file, &matrix->cells[group][i][function], notes, &count);
        fputc('\n', file);
    }
    for (i = 0; i < count; i++) {
        fprintf(file, "%s- [%d] `", i == 0 ? "\n" : "", i + 1);
        write_text(file, notes[i]);
        fprintf(file, "%s`\n", strlen(notes[i]) > MOST_TEXT ? "..." : "");
    }
}

static void write_matrix(FILE *file, const struct matrix *matrix)
{
    int group;

    write_intro(file);
    for (group = 0; group < GROUPS; group++)
        write_group(file, matrix, group);
    fprintf(file,
            "\n## Figures\n\n"
            "%d functions, %d misuses, %d cells in which a misuse applies to a function, %ld checks.\n",
            FUNCTIONS, matrix->misuses, matrix->applying, matrix->checks);
}

#endif
