// SPDX-License-Identifier: MIT
/* Owns the runs of a list that may yet have to be thrown away. */
#include "spool.h"

#include "vec.h"

#include <errno.h>
#include <stdlib.h>

void report_spool_init(struct report_spool *spool, const struct report_list_choice *choice)
{
    *spool = (struct report_spool){.take = choice->take,
                                   .context = choice->context,
                                   .most = REPORT_SPOOL_BYTES / sizeof(struct report_run)};
}

void report_spool_free(struct report_spool *spool)
{
    free(spool->runs);
}

int report_spool_release(struct report_spool *spool)
{
    int ret = 0;

    for (size_t i = 0; i < spool->n_runs && ret == 0; i++)
        ret = spool->take(spool->context, &spool->runs[i]);
    spool->n_runs = 0;
    spool->released = true;
    return ret;
}

void report_spool_forget(struct report_spool *spool)
{
    spool->n_runs = 0;
}

int report_spool_add(struct report_spool *spool, const struct report_run *run)
{
    int ret;

    if (!spool->released && spool->n_runs == spool->most) {
        ret = report_spool_release(spool);
        if (ret < 0)
            return ret;
    }
    if (spool->released)
        return spool->take(spool->context, run);
    if (vec_reserve(spool, runs) < 0)
        return -ENOMEM;
    spool->runs[spool->n_runs++] = *run;
    return 0;
}
