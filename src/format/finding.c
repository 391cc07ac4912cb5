// SPDX-License-Identifier: MIT
/* Owns the list of findings and its limits. Does not judge: severities come from the table. */
#include "finding.h"

#include "vec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum format_severity severity;
} codes[FORMAT_FINDING_N_CODES] = {
#define X(id, name, severity) {name, FORMAT_##severity},
    FORMAT_FINDING_CODES(X)
#undef X
};

const char *format_finding_name(enum format_finding_code code)
{
    return codes[code].name;
}

enum format_severity format_finding_severity(enum format_finding_code code)
{
    return codes[code].severity;
}

/* The list holds the first few of each code, so its length says nothing about one code. */
static uint64_t kept_of(const struct format_findings *findings, enum format_finding_code code)
{
    uint64_t n = findings->per_code[code];

    return n < FORMAT_FINDINGS_PER_CODE ? n : FORMAT_FINDINGS_PER_CODE;
}

bool format_findings_wants(const struct format_findings *findings, enum format_finding_code code)
{
    return kept_of(findings, code) < FORMAT_FINDINGS_PER_CODE &&
           findings->n_list < FORMAT_FINDINGS_MAX;
}

static void add_per_code(struct format_findings *findings, enum format_finding_code code,
                         uint64_t n)
{
    uint64_t room = UINT16_MAX - findings->per_code[code];

    findings->per_code[code] += (uint16_t)(n < room ? n : room);
}

void format_findings_count(struct format_findings *findings, enum format_finding_code code,
                           uint64_t n)
{
    findings->total += n;
    findings->errors += codes[code].severity == FORMAT_ERROR ? n : 0;
    add_per_code(findings, code, n);
}

void format_findings_add(struct format_findings *findings, enum format_finding_code code,
                         const char *where, const uint64_t *host_off, const char *message, ...)
{
    bool keep = format_findings_wants(findings, code);
    struct format_finding *finding;
    va_list args;

    format_findings_count(findings, code, 1);
    if (!keep)
        return;
    if (vec_reserve(findings, list) < 0) {
        findings->lost = true;
        return;
    }
    finding = &findings->list[findings->n_list++];
    finding->code = code;
    snprintf(finding->where, sizeof(finding->where), "%s", where);
    finding->has_host_off = host_off != NULL;
    finding->host_off = host_off != NULL ? *host_off : 0;
    va_start(args, message);
    vsnprintf(finding->message, sizeof(finding->message), message, args);
    va_end(args);
}

void format_findings_merge(struct format_findings *left, struct format_findings *right)
{
    uint64_t kept[FORMAT_FINDING_N_CODES];

    for (int code = 0; code < FORMAT_FINDING_N_CODES; code++)
        kept[code] = kept_of(left, (enum format_finding_code)code);
    for (size_t i = 0; i < right->n_list; i++) {
        const struct format_finding *finding = &right->list[i];

        if (kept[finding->code] >= FORMAT_FINDINGS_PER_CODE || left->n_list >= FORMAT_FINDINGS_MAX)
            continue;
        if (vec_reserve(left, list) < 0) {
            left->lost = true;
            break;
        }
        left->list[left->n_list++] = *finding;
        kept[finding->code]++;
    }
    left->lost |= right->lost;
    left->total += right->total;
    left->errors += right->errors;
    for (int code = 0; code < FORMAT_FINDING_N_CODES; code++)
        add_per_code(left, (enum format_finding_code)code, right->per_code[code]);
    format_findings_free(right);
}

void format_findings_prefix(struct format_findings *findings, const char *prefix)
{
    for (size_t i = 0; i < findings->n_list; i++) {
        char *where = findings->list[i].where;
        size_t room = sizeof(findings->list[i].where), len = strlen(prefix);

        if (len >= room)
            continue;
        memmove(where + len, where, room - len);
        memcpy(where, prefix, len);
        where[room - 1] = '\0';
    }
}

void format_findings_drop_errors(struct format_findings *findings)
{
    size_t n = 0;

    for (size_t i = 0; i < findings->n_list; i++)
        if (codes[findings->list[i].code].severity != FORMAT_ERROR)
            findings->list[n++] = findings->list[i];
    findings->n_list = n;
    findings->total -= findings->errors;
    findings->errors = 0;
    for (int code = 0; code < FORMAT_FINDING_N_CODES; code++)
        if (codes[code].severity == FORMAT_ERROR)
            findings->per_code[code] = 0;
}

bool format_findings_have_error(const struct format_findings *findings)
{
    return findings->errors > 0;
}

void format_findings_shorten(struct format_findings *findings, size_t n)
{
    struct format_finding *list;

    if (n >= findings->n_list)
        return;
    if (n == 0) {
        free(findings->list);
        findings->list = NULL;
    } else if ((list = realloc(findings->list, n * sizeof(*list))) != NULL) {
        findings->list = list;
    }
    findings->n_list = findings->cap_list = n;
}

void format_findings_free(struct format_findings *findings)
{
    free(findings->list);
    memset(findings, 0, sizeof(*findings));
}

const struct format_finding *format_findings_first_error(const struct format_findings *findings)
{
    for (size_t i = 0; i < findings->n_list; i++)
        if (format_finding_severity(findings->list[i].code) == FORMAT_ERROR)
            return &findings->list[i];
    return NULL;
}
