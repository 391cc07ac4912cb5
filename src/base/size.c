// SPDX-License-Identifier: MIT
/* Owns how sizes look. Integer arithmetic throughout, so that no size up to 2^64 - 1 is rounded
 * twice. Knows no locale. */
#include "size.h"

#include "sector.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char units[] = "BKMGTPE";

/* @scaled is the size in hundredths of the unit, rounded; true when it needs the next unit up. */
static bool scale(uint64_t bytes, unsigned unit, uint64_t *hundredths)
{
    unsigned shift = 10 * unit;
    uint64_t whole = bytes >> shift;
    unsigned __int128 rest = bytes - (whole << shift);
    uint64_t step = whole >= 100 ? 100 : whole >= 10 ? 10 : 1; /* keep three significant digits */
    unsigned __int128 exact = (((unsigned __int128)whole << shift) + rest) * 100;
    unsigned __int128 unit_step = (unsigned __int128)step << shift;

    *hundredths = (uint64_t)((exact + unit_step / 2) / unit_step) * step;
    return *hundredths >= 102400;
}

void size_format(char text[SIZE_TEXT_MAX], uint64_t bytes)
{
    unsigned unit = 0;
    uint64_t hundredths;

    while (unit < 6 && bytes >> (10 * (unit + 1)) != 0)
        unit++;
    if (unit == 0) {
        snprintf(text, SIZE_TEXT_MAX, "%" PRIu64 " B", bytes);
        return;
    }
    if (scale(bytes, unit, &hundredths) && unit < 6)
        scale(bytes, ++unit, &hundredths);

    if (hundredths % 100 == 0)
        snprintf(text, SIZE_TEXT_MAX, "%" PRIu64 " %ciB", hundredths / 100, units[unit]);
    else if (hundredths % 10 == 0)
        snprintf(text, SIZE_TEXT_MAX, "%" PRIu64 ".%" PRIu64 " %ciB", hundredths / 100,
                 hundredths / 10 % 10, units[unit]);
    else
        snprintf(text, SIZE_TEXT_MAX, "%" PRIu64 ".%02" PRIu64 " %ciB", hundredths / 100,
                 hundredths % 100, units[unit]);
}

bool size_is_unit(const char *word, size_t len)
{
    if (len == 1)
        return word[0] == units[0];
    return len == 3 && word[0] != '\0' && strchr(units + 1, word[0]) != NULL && word[1] == 'i' &&
           word[2] == 'B';
}

void size_format_mean(char text[SIZE_TEXT_MAX], double bytes)
{
    /* 2^64 itself is not a uint64_t; a mean cannot reach it, a damaged input must not either. */
    size_format(text, bytes >= 0x1p64 ? UINT64_MAX : (uint64_t)(bytes + 0.5));
}

void size_format_count(char text[SIZE_TEXT_MAX], uint64_t count)
{
    char digits[SIZE_TEXT_MAX];
    int n = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    char *out = text;

    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
}

/* The bytes that a suffix stands for, or 0: it is none. An empty one means bytes. */
static uint64_t suffix_bytes(const char *suffix)
{
    const char *found;

    if (*suffix == '\0')
        return 1;
    if (strcasecmp(suffix, "s") == 0)
        return SECTOR_BYTES;
    found = strchr(units, toupper((unsigned char)*suffix));
    if (found == NULL)
        return 0;
    if (found == units)
        return suffix[1] == '\0';
    if (suffix[1] == '\0' || strcasecmp(suffix + 1, "iB") == 0 || strcasecmp(suffix + 1, "B") == 0)
        return UINT64_C(1) << (10 * (found - units));
    return 0;
}

static int digit_value(char digit)
{
    if (isdigit((unsigned char)digit))
        return digit - '0';
    return isxdigit((unsigned char)digit) ? tolower((unsigned char)digit) - 'a' + 10 : 16;
}

/* The digits up to the first that is none of @base. False: there is no digit, or there are too
 * many. */
static bool parse_digits(const char **text, unsigned base, uint64_t *whole)
{
    const char *begin = *text;

    *whole = 0;
    for (; (unsigned)digit_value(**text) < base; (*text)++) {
        if (__builtin_mul_overflow(*whole, (uint64_t)base, whole) ||
            __builtin_add_overflow(*whole, (uint64_t)digit_value(**text), whole))
            return false;
    }
    return *text > begin;
}

/* Digits after the point, as a fraction of 10^n; more than 15 digits are refused. */
static bool parse_fraction(const char **text, uint64_t *fraction, uint64_t *denominator)
{
    *fraction = 0;
    *denominator = 1;
    if (**text != '.')
        return true;
    (*text)++;
    if (!isdigit((unsigned char)**text))
        return false;
    for (; isdigit((unsigned char)**text); (*text)++) {
        if (*denominator >= UINT64_C(1000000000000000))
            return false;
        *fraction = *fraction * 10 + (uint64_t)(**text - '0');
        *denominator *= 10;
    }
    return true;
}

bool size_parse(const char *text, uint64_t *bytes)
{
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    uint64_t whole, fraction = 0, denominator = 1, unit;
    unsigned __int128 total;

    text += hexadecimal ? 2 : 0;
    if (!parse_digits(&text, hexadecimal ? 16 : 10, &whole))
        return false;
    if (!hexadecimal && !parse_fraction(&text, &fraction, &denominator))
        return false;
    if (text[0] == ' ' && text[1] != '\0') /* as size_format writes it */
        text++;
    unit = suffix_bytes(text);
    if (unit == 0)
        return false;
    total = (unsigned __int128)whole * unit + (unsigned __int128)fraction * unit / denominator;
    if (total > UINT64_MAX)
        return false;
    *bytes = (uint64_t)total;
    return true;
}
