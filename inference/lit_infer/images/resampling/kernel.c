/* The two-pass resize of uint8 images, in the integer arithmetic of Pillow and of torch's tensors, bit for bit.

   Both compute weights in double, round them to whole numbers of some bits, add up in int32 and round to uint8 after each
   pass. Pillow has 22 bits always; torch as many as its largest weight leaves within 16. Only what the box keeps is
   computed. A file of its own C, no library: Python's stable interface, numbers and memory.

   Compiled with -ffp-contract=off: a fused multiply-add would give other weights. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CHANNELS 32
#define MOST_SIDE (1 << 28)
#define PILLOW_BITS 22
#define PART_BITS 11 /* of a weight's lower part */
#define SLACK 8 /* bytes behind a row that may be touched */
#define PI 3.14159265358979323846

/* The passes are written twice: plainly, and for AVX2 where the compiler and the processor have it. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(LIT_PLAIN)
#include <immintrin.h>
#define WITH_AVX2 1
#define AVX2 __attribute__((target("avx2")))
#else
#define WITH_AVX2 0
#endif
#if defined(_MSC_VER)
#define INLINE static __forceinline
#define restrict __restrict
#else
#define INLINE static inline __attribute__((always_inline))
#endif

/* ---- Weights ---- */

typedef double (*Filter)(double);

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static double triangle(double x) {
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x) {
    x = fabs(x);
    if (x == 0.0) return 1.0;
    if (x >= 1.0) return 0.0;
    x *= PI;
    return sin(x) / x * (0.54f + 0.46f * cos(x)); /* Pillow's factors are floats */
}

static double cubic_of(double x, double a) {
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static double cubic(double x) { return cubic_of(x, -0.5); }

static double sinc(double x) {
    if (x == 0.0) return 1.0;
    x *= PI;
    return sin(x) / x;
}

static double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

static const struct {
    const char *name;
    Filter weigh;
    double radius;
} FILTERS[] = {{"box", box, 0.5},      {"bilinear", triangle, 1.0}, {"hamming", hamming, 1.0},
               {"bicubic", cubic, 2.0}, {"lanczos", lanczos, 3.0}};

/* For the pixels [from, to) of one side: where each begins, how many it is made of, and their weights. */
typedef struct {
    int count, taps, bits;
    int *first, *length;
    int32_t *weights; /* [count][taps], zero beyond length */
    int part_count;
    int32_t *parts; /* [count][part_count][low and high part], each of two taps; or NULL */
} Side;

static void forget(Side *side) {
    free(side->first);
    free(side->length);
    free(side->weights);
    free(side->parts);
    memset(side, 0, sizeof *side);
}

/* How wide a filter gets: the most pixels that one is made of. */
static double taps_of(int before, int after, double radius) {
    double scale = (double)before / after;
    return ceil(radius * (scale < 1.0 ? 1.0 : scale)) * 2 + 1;
}

static void antialiased(int before, int after, int at, int filter, int *first, int *length, double *weights) {
    double scale = (double)before / after, wide = scale < 1.0 ? 1.0 : scale;
    double support = FILTERS[filter].radius * wide, center = (at + 0.5) * scale, inverse = 1.0 / wide, total = 0.0;
    int low = (int)(center - support + 0.5), high = (int)(center + support + 0.5);
    low = low < 0 ? 0 : low;
    high = high > before ? before : high;
    for (int tap = 0; tap < high - low; tap++) total += weights[tap] = FILTERS[filter].weigh((tap + low - center + 0.5) * inverse);
    for (int tap = 0; tap < high - low; tap++) weights[tap] = total != 0.0 ? weights[tap] / total : weights[tap];
    *first = low;
    *length = high - low;
}

/* Two or four pixels, however much smaller the image gets, as torch does without antialias. Pixels beyond the edge are
   those at the edge: their weights are added up there before they are rounded. */
static void plain(int before, int after, int at, int is_cubic, int *first, int *length, double *weights) {
    double position = (double)before / after * (at + 0.5) - 0.5;
    if (!is_cubic) {
        position = position < 0 ? 0 : position;
        int low = (int)floor(position) < before - 1 ? (int)floor(position) : before - 1;
        double share = position - low < 1 ? position - low : 1;
        *first = low;
        *length = low + 1 < before ? 2 : 1;
        weights[0] = *length == 2 ? 1 - share : 1;
        weights[1] = share;
        return;
    }
    int middle = (int)floor(position), low = middle > 0 ? middle - 1 : 0, high = middle + 3 < before ? middle + 3 : before;
    double share = position - middle;
    memset(weights, 0, 4 * sizeof *weights);
    for (int tap = 0; tap < 4; tap++) {
        int where = middle - 1 + tap;
        where = where < low ? low : where > high - 1 ? high - 1 : where;
        weights[where - low] += cubic_of(tap - 1 - share, -0.75);
    }
    *first = low;
    *length = high - low;
}

/* The most bits at which torch's largest weight fits into 16 with its sign. */
static int torch_bits(double largest) {
    int bits = 0;
    while (bits < PILLOW_BITS && (int)(0.5 + largest * (1 << (bits + 1))) < (1 << 15)) bits++;
    return bits;
}

/* 0, or -1 where there is no memory. All pixels are weighed for torch, whose bits depend on the largest weight. */
static int weigh(Side *side, int before, int after, int from, int to, int filter, int by_torch, int antialias) {
    int width = antialias ? (int)taps_of(before, after, FILTERS[filter].radius) : 4;
    int low = by_torch ? 0 : from, high = by_torch ? after : to;
    double *row = malloc(sizeof(double) * width), *all = NULL, largest = 0;
    side->count = to - from;
    side->taps = width;
    side->first = malloc(sizeof(int) * side->count);
    side->length = malloc(sizeof(int) * side->count);
    side->weights = calloc((size_t)side->count * width, sizeof(int32_t));
    all = calloc((size_t)side->count * width, sizeof(double));
    if (!row || !all || !side->first || !side->length || !side->weights) {
        free(row);
        free(all);
        forget(side);
        return -1;
    }
    for (int at = low; at < high; at++) {
        int first, length;
        if (antialias) antialiased(before, after, at, filter, &first, &length, row);
        else plain(before, after, at, FILTERS[filter].radius == 2.0, &first, &length, row);
        for (int tap = 0; tap < length; tap++) largest = row[tap] > largest ? row[tap] : largest;
        if (at < from || at >= to) continue;
        side->first[at - from] = first;
        side->length[at - from] = length;
        memcpy(all + (size_t)(at - from) * width, row, sizeof(double) * length);
    }
    side->bits = by_torch ? torch_bits(largest) : PILLOW_BITS;
    for (size_t index = 0; index < (size_t)side->count * width; index++)
        side->weights[index] = (int32_t)((all[index] < 0 ? -0.5 : 0.5) + all[index] * (1 << side->bits));
    free(row);
    free(all);
    return 0;
}

#if WITH_AVX2
static int has_avx2 = 0; /* set when the module is loaded */

static int32_t together(int32_t first, int32_t second) {
    return (int32_t)((uint32_t)(first & 0xFFFF) | (uint32_t)second << 16);
}

/* The weights of a side as `two_rows_across` takes them. 0, or -1 where there is no memory. */
static int split(Side *side) {
    const int32_t low = (1 << PART_BITS) - 1;
    side->part_count = (side->taps + 1) / 2;
    side->parts = malloc(sizeof(int32_t) * 2 * side->part_count * (size_t)side->count);
    if (!side->parts) return -1;
    for (int at = 0; at < side->count; at++)
        for (int part = 0; part < side->part_count; part++) {
            const int32_t *weights = side->weights + (size_t)at * side->taps + 2 * part;
            int32_t second = 2 * part + 1 < side->taps ? weights[1] : 0;
            int32_t *parts = side->parts + ((size_t)at * side->part_count + part) * 2;
            parts[0] = together(weights[0] & low, second & low);
            parts[1] = together(weights[0] >> PART_BITS, second >> PART_BITS);
        }
    return 0;
}
#endif

/* ---- Passes ---- */

INLINE uint8_t clipped(int32_t value) { return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value); }

/* One row of any number of channels. */
INLINE void row_of(const Side *side, const uint8_t *restrict source, uint8_t *restrict out, int step, int channels) {
    for (int at = 0; at < side->count; at++) {
        const int32_t *weights = side->weights + (size_t)at * side->taps;
        const uint8_t *from = source + (size_t)side->first[at] * step;
        for (int channel = 0; channel < channels; channel++) {
            int32_t sum = 1 << (side->bits - 1);
            for (int tap = 0; tap < side->length[at]; tap++) sum += from[(size_t)tap * step + channel] * weights[tap];
            out[(size_t)at * channels + channel] = clipped(sum >> side->bits);
        }
    }
}

static void row_across(const Side *side, const uint8_t *source, uint8_t *out, int step, int channels) {
    if (channels == 1 && step == 1) row_of(side, source, out, 1, 1);
    else if (channels == 3) row_of(side, source, out, step, 3);
    else row_of(side, source, out, step, channels);
}

/* The bytes [from, to) of one row of the output, of the rows that it is made of. */
static void bytes_down(const uint8_t *rows, ptrdiff_t stride, const int32_t *weights, int length, int bits, uint8_t *out,
                       int from, int to) {
    for (int x = from; x < to; x++) {
        int32_t sum = 1 << (bits - 1);
        for (int tap = 0; tap < length; tap++) sum += rows[tap * stride + x] * weights[tap];
        out[x] = clipped(sum >> bits);
    }
}

#if WITH_AVX2
/* Two rows of pixels of three or four channels, two taps at a time: eight bytes are read of each row, whatever the pixels
   have, and four are written. A weight of up to 23 bits goes in two parts, as the instruction multiplies 16 bits. */
AVX2 static void two_rows_across(const Side *side, const uint8_t *restrict upper, const uint8_t *restrict lower, int step,
                                 int channels, uint8_t *restrict above, uint8_t *restrict below) {
    char order[32];
    for (int lane = 0; lane < 32; lane += 16)
        for (int channel = 0; channel < 4; channel++) {
            char *pair = order + lane + channel * 4;
            pair[0] = (char)channel;
            pair[2] = (char)(step + channel < 8 ? step + channel : 0x80);
            pair[1] = pair[3] = (char)0x80;
        }
    const __m256i pairs = _mm256_loadu_si256((const __m256i *)order), zero = _mm256_setzero_si256();
    const __m256i half = _mm256_set1_epi32(1 << (side->bits - 1));
    const __m128i bits = _mm_cvtsi32_si128(side->bits);
    for (int at = 0; at < side->count; at++) {
        const int32_t *parts = side->parts + (size_t)at * side->part_count * 2;
        const uint8_t *top = upper + (size_t)side->first[at] * step, *bottom = lower + (size_t)side->first[at] * step;
        __m256i fine = half, coarse = zero;
        for (int tap = 0; tap < side->length[at]; tap += 2, parts += 2, top += 2 * step, bottom += 2 * step) {
            __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadl_epi64((const __m128i *)top)),
                                                   _mm_loadl_epi64((const __m128i *)bottom), 1);
            both = _mm256_shuffle_epi8(both, pairs);
            fine = _mm256_add_epi32(fine, _mm256_madd_epi16(both, _mm256_set1_epi32(parts[0])));
            coarse = _mm256_add_epi32(coarse, _mm256_madd_epi16(both, _mm256_set1_epi32(parts[1])));
        }
        __m256i sums = _mm256_sra_epi32(_mm256_add_epi32(fine, _mm256_slli_epi32(coarse, PART_BITS)), bits);
        sums = _mm256_packus_epi16(_mm256_packs_epi32(sums, zero), zero);
        int32_t done = _mm_cvtsi128_si32(_mm256_castsi256_si128(sums));
        memcpy(above + (size_t)at * channels, &done, 4);
        done = _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1));
        memcpy(below + (size_t)at * channels, &done, 4);
    }
}

AVX2 static void row_down(const uint8_t *restrict rows, ptrdiff_t stride, const int32_t *restrict weights, int length,
                          int bits, uint8_t *restrict out, int count) {
    const __m256i half = _mm256_set1_epi32(1 << (bits - 1)), order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m128i shift = _mm_cvtsi32_si128(bits);
    int x = 0;
    for (; x + 32 <= count; x += 32) {
        __m256i sums[4] = {half, half, half, half};
        for (int tap = 0; tap < length; tap++) {
            const uint8_t *from = rows + tap * stride + x;
            const __m256i weight = _mm256_set1_epi32(weights[tap]);
            for (int part = 0; part < 4; part++) {
                __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(from + part * 8)));
                sums[part] = _mm256_add_epi32(sums[part], _mm256_mullo_epi32(bytes, weight));
            }
        }
        for (int part = 0; part < 4; part++) sums[part] = _mm256_sra_epi32(sums[part], shift);
        __m256i done = _mm256_packus_epi16(_mm256_packs_epi32(sums[0], sums[1]), _mm256_packs_epi32(sums[2], sums[3]));
        _mm256_storeu_si256((__m256i *)(out + x), _mm256_permutevar8x32_epi32(done, order));
    }
    bytes_down(rows, stride, weights, length, bits, out, x, count);
}
#endif

typedef struct {
    const uint8_t *pixels;
    int width, height, channels;
    ptrdiff_t row, step; /* bytes from one row, and from one pixel, to the next */
} Image;

typedef struct {
    uint8_t *pixels;
    ptrdiff_t row;
} Target;

/* The first and the last pixel, plus one, that a side is made of. */
static void span(const Side *side, int *low, int *high) {
    *low = INT_MAX;
    *high = 0;
    for (int at = 0; at < side->count; at++) {
        int end = side->first[at] + side->length[at];
        *low = side->first[at] < *low ? side->first[at] : *low;
        *high = end > *high ? end : *high;
    }
}

/* Two rows across, or one where both are the same. All have SLACK bytes behind them. */
static void across_rows(const Side *side, const uint8_t *upper, const uint8_t *lower, int step, int channels,
                        uint8_t *above, uint8_t *below) {
#if WITH_AVX2
    if (side->parts) {
        two_rows_across(side, upper, lower, step, channels, above, below);
        return;
    }
#endif
    row_across(side, upper, above, step, channels);
    if (upper != lower) row_across(side, lower, below, step, channels);
}

/* One row of the output, of the rows that it is made of. */
static void down_rows(const Side *side, int at, const uint8_t *rows, ptrdiff_t stride, uint8_t *out, int count) {
    const int32_t *weights = side->weights + (size_t)at * side->taps;
#if WITH_AVX2
    if (has_avx2) {
        row_down(rows, stride, weights, side->length[at], side->bits, out, count);
        return;
    }
#endif
    bytes_down(rows, stride, weights, side->length[at], side->bits, out, 0, count);
}

/* All rows across, then down. Returns -1 where there is no memory. */
static int rows_first(const Image *source, const Side *across, const Side *down, const Target *out) {
    int channels = source->channels, bytes = across->count * channels, low, high;
    size_t width = (size_t)source->width * source->step, stride = (size_t)bytes + SLACK;
    span(down, &low, &high);
    uint8_t *between = malloc((size_t)(high - low + 1) * stride), *last = malloc(width + SLACK);
    int failed = !between || !last;
    for (int y = low; !failed && y < high; y += 2) {
        const uint8_t *upper = source->pixels + y * source->row, *lower = y + 1 < high ? upper + source->row : upper;
        uint8_t *above = between + (size_t)(y - low) * stride, *below = above + stride;
        if (y + 2 >= source->height) { /* nothing may be read behind the last row */
            const uint8_t *end = lower;
            memcpy(last, end, width - (source->step - channels));
            upper = upper == end ? last : upper;
            lower = last;
        }
        across_rows(across, upper, lower, (int)source->step, channels, above, below);
    }
    for (int y = 0; !failed && y < down->count; y++)
        down_rows(down, y, between + (size_t)(down->first[y] - low) * stride, (ptrdiff_t)stride, out->pixels + y * out->row,
                  bytes);
    free(between);
    free(last);
    return failed ? -1 : 0;
}

/* Each row of the output down, then across. */
static int columns_first(const Image *source, const Side *across, const Side *down, const Target *out) {
    int channels = source->channels, low, high;
    size_t width = (size_t)source->width * source->step, made = (size_t)across->count * channels;
    span(across, &low, &high);
    int bytes = (int)((high - low - 1) * source->step + channels);
    uint8_t *rows = calloc(2, width + SLACK), *done = malloc(2 * (made + SLACK));
    int failed = !rows || !done;
    for (int y = 0; !failed && y < down->count; y += 2) {
        int count = y + 1 < down->count ? 2 : 1;
        for (int row = 0; row < count; row++)
            down_rows(down, y + row, source->pixels + down->first[y + row] * source->row + low * source->step, source->row,
                      rows + row * (width + SLACK) + low * source->step, bytes);
        const uint8_t *lower = rows + (count - 1) * (width + SLACK);
        across_rows(across, rows, lower, (int)source->step, channels, done, done + made + SLACK);
        for (int row = 0; row < count; row++) memcpy(out->pixels + (y + row) * out->row, done + row * (made + SLACK), made);
    }
    free(rows);
    free(done);
    return failed ? -1 : 0;
}

/* ---- Python ---- */

static int refused(const char *message) {
    PyErr_SetString(PyExc_ValueError, message);
    return -1;
}

/* Only [height, width, channels] of uint8 whose channels lie side by side, within its own memory. */
static int is_image(const Py_buffer *view, const char *what) {
    if (view->ndim != 3 || view->itemsize != 1 || (view->format && strcmp(view->format, "B") != 0))
        return PyErr_Format(PyExc_ValueError, "%s must be uint8 of [height, width, channels]", what), 0;
    for (int side = 0; side < 3; side++)
        if (view->shape[side] < 1 || view->shape[side] > MOST_SIDE)
            return PyErr_Format(PyExc_ValueError, "%s has a side of no length, or of too much", what), 0;
    if (view->shape[2] > MOST_CHANNELS || view->strides[2] != 1 || view->strides[1] < view->shape[2] ||
        view->strides[1] > MOST_CHANNELS || view->strides[0] < view->shape[1] * view->strides[1] - (view->strides[1] - view->shape[2]))
        return PyErr_Format(PyExc_ValueError, "%s must have 1 to 32 channels side by side, and rows one after another", what), 0;
    return 1;
}

static int filter_named(const char *name) {
    for (int index = 0; index < (int)(sizeof FILTERS / sizeof *FILTERS); index++)
        if (strcmp(FILTERS[index].name, name) == 0) return index;
    return refused("the filter is not known");
}

/* A side that keeps its length comes out as it was: each pixel then has the one weight. */
static int prepared(Side *across, const Image *source) {
#if WITH_AVX2
    if (has_avx2 && (source->channels == 3 || source->channels == 4) && source->step <= 4) return split(across);
#endif
    (void)across, (void)source;
    return 0;
}

static int resize_into(const Image *source, const int size[2], const int box[4], int filter, int by_torch, int antialias,
                       int is_columns_first, const Target *out) {
    Side across = {0}, down = {0};
    int failed = weigh(&across, source->width, size[0], box[0], box[2], filter, by_torch, antialias) ||
                 weigh(&down, source->height, size[1], box[1], box[3], filter, by_torch, antialias) ||
                 prepared(&across, source) ||
                 (is_columns_first ? columns_first : rows_first)(source, &across, &down, out);
    forget(&across);
    forget(&down);
    return failed ? -1 : 0;
}

static int checked(const Py_buffer *from, const Py_buffer *to, const int size[2], const int box[4], int filter, int by_torch) {
    if (size[0] < 1 || size[1] < 1 || size[0] > MOST_SIDE || size[1] > MOST_SIDE) return refused("size must be positive");
    if (box[0] < 0 || box[1] < 0 || box[2] <= box[0] || box[3] <= box[1] || box[2] > size[0] || box[3] > size[1])
        return refused("the box must lie in the resized image");
    if (to->shape[0] != box[3] - box[1] || to->shape[1] != box[2] - box[0] || to->shape[2] != from->shape[2])
        return refused("out must have the shape of the box, and the source's channels");
    if (to->strides[1] != to->shape[2]) return refused("out must have its pixels side by side");
    if (by_torch && FILTERS[filter].weigh != triangle && FILTERS[filter].weigh != cubic)
        return refused("torch resizes by bilinear and bicubic");
    for (int side = 0; side < 2; side++) {
        double taps = taps_of((int)from->shape[1 - side], size[side], FILTERS[filter].radius);
        if (taps * (box[2 + side] - box[side]) > INT_MAX / 8 || (double)to->shape[1] * to->shape[2] > INT_MAX / 8)
            return refused("the images are too large");
    }
    return 0;
}

static PyObject *resize_crop(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *source, *target, *done = NULL;
    const char *filter_name;
    int size[2], box[4], by_torch, antialias, columns;
    Py_buffer from, to;
    if (!PyArg_ParseTuple(args, "OO(ii)(iiii)sppp", &source, &target, &size[0], &size[1], &box[0], &box[1], &box[2], &box[3],
                          &filter_name, &by_torch, &antialias, &columns))
        return NULL;
    int filter = filter_named(filter_name);
    if (filter < 0 || PyObject_GetBuffer(source, &from, PyBUF_STRIDES | PyBUF_FORMAT) < 0) return NULL;
    if (PyObject_GetBuffer(target, &to, PyBUF_STRIDES | PyBUF_FORMAT | PyBUF_WRITABLE) < 0) {
        PyBuffer_Release(&from);
        return NULL;
    }
    if (is_image(&from, "source") && is_image(&to, "out") && checked(&from, &to, size, box, filter, by_torch) == 0) {
        Image image = {from.buf, (int)from.shape[1], (int)from.shape[0], (int)from.shape[2], from.strides[0], from.strides[1]};
        Target out = {to.buf, to.strides[0]};
        int failed;
        Py_BEGIN_ALLOW_THREADS
        failed = resize_into(&image, size, box, filter, by_torch, antialias || !by_torch, columns, &out);
        Py_END_ALLOW_THREADS
        done = failed ? PyErr_NoMemory() : Py_NewRef(Py_None);
    }
    PyBuffer_Release(&from);
    PyBuffer_Release(&to);
    return done;
}

static PyMethodDef METHODS[] = {
    {"resize_crop", resize_crop, METH_VARARGS,
     "resize_crop(source, out, size, box, filter, by_torch, antialias, columns_first)\n--\n\n"
     "Write the box (left, top, right, bottom) of `source`, resized to (width, height), into `out`.\n\n"
     "Both are uint8 [height, width, channels]. The interpreter's lock is not held. Raises ValueError."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot SLOTS[] = {{0, NULL}};
static PyModuleDef MODULE = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "_kernel", .m_methods = METHODS, .m_slots = SLOTS};

PyMODINIT_FUNC PyInit__kernel(void) {
#if WITH_AVX2
    __builtin_cpu_init();
    has_avx2 = __builtin_cpu_supports("avx2") != 0;
#endif
    return PyModuleDef_Init(&MODULE);
}
