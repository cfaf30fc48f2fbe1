/* SPDX-License-Identifier: Apache-2.0 */
/* selection_exact.c - nucleus and draw as they are defined, token after token. */
#include "engine/selection.h"

/* A token and its unnormalised probability. */
typedef struct candidate {
    float p;
    int32_t id;
} candidate;

size_t aim__selection_room(int vocab)
{
    return (size_t)vocab * sizeof(candidate);
}

/* Descending probability, then ascending id: a total order. */
static bool before(candidate a, candidate b)
{
    return a.p > b.p || (a.p == b.p && a.id < b.id);
}

static void sift_down(candidate *heap, int n, int i)
{
    candidate c = heap[i];
    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], c))
            break;
        heap[i] = heap[child];
    }
    heap[i] = c;
}

static candidate pop(candidate *heap, int *n)
{
    candidate top = heap[0];
    heap[0] = heap[--*n];
    if (*n > 0)
        sift_down(heap, *n, 0);
    return top;
}

static int make_heap(const float *p, int vocab, candidate *heap)
{
    int n = 0;
    for (int32_t i = 0; i < vocab; i++)
        if (p[i] > 0)
            heap[n++] = (candidate){p[i], i};
    for (int i = n / 2 - 1; i >= 0; i--)
        sift_down(heap, n, i);
    return n;
}

/* Works on the heap and leaves it empty. */
static double sum_in_order(candidate *heap, int n)
{
    double sum = 0;
    while (n > 0)
        sum += (double)pop(heap, &n).p;
    return sum;
}

static double sum_by_id(const float *p, int vocab)
{
    double sum = 0;
    for (int i = 0; i < vocab; i++)
        sum += (double)p[i];
    return sum;
}

void aim__keep_nucleus_exactly(float *p, int vocab, double share, bool total_in_order, void *room)
{
    candidate *heap = room;
    double total =
        total_in_order ? sum_in_order(heap, make_heap(p, vocab, heap)) : sum_by_id(p, vocab);
    int n = make_heap(p, vocab, heap);
    candidate last = pop(heap, &n);
    double sum = (double)last.p;
    while (n > 0 && sum < share * total) {
        last = pop(heap, &n);
        sum += (double)last.p;
    }
    for (int32_t i = 0; i < vocab; i++)
        if (before(last, (candidate){p[i], i}))
            p[i] = 0;
}

int32_t aim__draw_exactly(const float *p, int vocab, double uniform)
{
    double target = uniform * sum_by_id(p, vocab), sum = 0;
    int32_t last = 0;
    for (int32_t i = 0; i < vocab; i++) {
        sum += (double)p[i];
        if (p[i] > 0)
            last = i;
        if (sum > target)
            break;
    }
    return last;
}
