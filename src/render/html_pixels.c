// SPDX-License-Identifier: MIT
/*
 * Owns the spelling of PNG (ISO/IEC 15948): indexed colours, as few bits a pixel as these need, no
 * filter, one block of data.
 */
#include "html_pixels.h"

#include "be.h"
#include "cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int html_pixels_new(struct html_pixels *pixels, uint32_t width, uint32_t height)
{
    memset(pixels, 0, sizeof(*pixels));
    pixels->width = width;
    pixels->height = height;
    pixels->n_colours = 1;
    pixels->list = calloc((size_t)width * height, 1);
    return pixels->list != NULL ? 0 : -ENOMEM;
}

void html_pixels_free(struct html_pixels *pixels)
{
    free(pixels->list);
    pixels->list = NULL;
}

uint8_t html_pixels_colour(struct html_pixels *pixels, struct render_colour colour, uint8_t alpha)
{
    for (unsigned i = 0; i < pixels->n_colours; i++)
        if (memcmp(&pixels->colours[i], &colour, sizeof(colour)) == 0 && pixels->alphas[i] == alpha)
            return (uint8_t)i;
    if (pixels->n_colours == 256)
        return 255;
    pixels->colours[pixels->n_colours] = colour;
    pixels->alphas[pixels->n_colours] = alpha;
    return (uint8_t)pixels->n_colours++;
}

/* ---- base64 ---- */

/* Three bytes become four characters, so the PNG is put together first. */
static void put_base64(struct html *html, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t all = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                       (left > 2 ? bytes[i + 2] : 0);
        char text[5] = {digits[all >> 18], digits[all >> 12 & 63], digits[all >> 6 & 63],
                        digits[all & 63], '\0'};

        if (left < 3)
            memset(text + 1 + left, '=', 3 - left);
        html_put(html, text);
    }
}

/* ---- PNG ---- */

static void put_u32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A chunk behind the *@n bytes of @png. */
static void add_chunk(uint8_t *png, size_t *n, const char type[4], const void *data, size_t len)
{
    uint8_t *chunk = png + *n;

    put_u32(chunk, (uint32_t)len);
    memcpy(chunk + 4, type, 4);
    memmove(chunk + 8, data, len);
    put_u32(chunk + 8 + len, (uint32_t)crc32(0, chunk + 4, (uInt)(len + 4)));
    *n += len + 12;
}

static unsigned depth_of(const struct html_pixels *pixels)
{
    return pixels->n_colours <= 2    ? 1
           : pixels->n_colours <= 4  ? 2
           : pixels->n_colours <= 16 ? 4
                                     : 8;
}

static size_t row_bytes(const struct html_pixels *pixels)
{
    return 1 + ((size_t)pixels->width * depth_of(pixels) + 7) / 8; /* with its filter, 0 */
}

/* @rows: all 0. */
static void pack_rows(const struct html_pixels *pixels, uint8_t *rows)
{
    unsigned depth = depth_of(pixels), per_byte = 8 / depth;

    for (uint32_t y = 0; y < pixels->height; y++)
        for (uint32_t x = 0; x < pixels->width; x++)
            rows[y * row_bytes(pixels) + 1 + x / per_byte] |=
                (uint8_t)(pixels->list[(size_t)y * pixels->width + x]
                          << (8 - depth - x % per_byte * depth));
}

static void add_header(const struct html_pixels *pixels, uint8_t *png, size_t *n)
{
    uint8_t header[13] = {0}, colours[256 * 3];

    put_u32(header, pixels->width);
    put_u32(header + 4, pixels->height);
    header[8] = (uint8_t)depth_of(pixels);
    header[9] = 3; /* indexed colours */
    memcpy(png, "\x89PNG\r\n\x1a\n", 8);
    *n = 8;
    add_chunk(png, n, "IHDR", header, sizeof(header));
    for (unsigned i = 0; i < pixels->n_colours; i++) {
        colours[3 * i] = pixels->colours[i].red;
        colours[3 * i + 1] = pixels->colours[i].green;
        colours[3 * i + 2] = pixels->colours[i].blue;
    }
    add_chunk(png, n, "PLTE", colours, 3 * (size_t)pixels->n_colours);
    add_chunk(png, n, "tRNS", pixels->alphas, pixels->n_colours);
}

int html_pixels_put(struct html *html, const struct html_pixels *pixels)
{
    size_t rows_bytes = row_bytes(pixels) * pixels->height, n = 0;
    uLongf packed_bytes = compressBound(rows_bytes);
    CLEANUP_FREE uint8_t *rows = calloc(rows_bytes, 1);
    CLEANUP_FREE uint8_t *packed = malloc(packed_bytes);
    CLEANUP_FREE uint8_t *png = malloc(packed_bytes + 2048);

    if (rows == NULL || packed == NULL || png == NULL)
        return -ENOMEM;
    pack_rows(pixels, rows);
    if (compress2(packed, &packed_bytes, rows, rows_bytes, Z_BEST_COMPRESSION) != Z_OK)
        return -ENOMEM;
    add_header(pixels, png, &n);
    add_chunk(png, &n, "IDAT", packed, packed_bytes);
    add_chunk(png, &n, "IEND", "", 0);
    html_put(html, "data:image/png;base64,");
    put_base64(html, png, n);
    return 0;
}
