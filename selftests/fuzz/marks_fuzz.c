// SPDX-License-Identifier: GPL-2.0
/* Marks of flow ids, against a list that forgets nothing. */
#include "fuzz.h"
#include "marks.h"

#define STEPS_MAX	64

struct step {
	u64	id;
	u8	mark;
};

/* What the documentation of marks.h says the mark of @id is. */
static u8 expected(const struct step *steps, unsigned int nr, u64 id, u64 top)
{
	u8 mark = WEFT_MARK_NEW;
	unsigned int i;

	if (id == ~0ULL || (top > WEFT_FLOW_WINDOW &&
			    id < top - WEFT_FLOW_WINDOW))
		return WEFT_MARK_RESET;
	for (i = 0; i < nr; i++)
		if (steps[i].id == id)
			mark = steps[i].mark;
	return mark;
}

/* An id that is close to the window's edges, or anywhere. */
static u64 pick_id(struct fuzz_in *in, u64 top)
{
	u8 how = fuzz_u8(in);
	s8 near = fuzz_u8(in);

	switch (how % 5) {
	case 0:
		return top + near;
	case 1:
		return top - WEFT_FLOW_WINDOW + near;
	case 2:
		return top - fuzz_u16(in) % WEFT_FLOW_WINDOW;
	case 3:
		return top + fuzz_u16(in);
	}
	return fuzz_u64(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct fuzz_in in = { input, size };
	struct weft_marks *marks = calloc(1, sizeof(*marks));
	struct step steps[STEPS_MAX];
	unsigned int nr = 0, i;
	u64 top = 0;

	while (in.left && nr < STEPS_MAX) {
		u64 id = pick_id(&in, top);
		u8 mark = fuzz_u8(&in) & 3;

		fuzz_check(weft_marks_get(marks, id) ==
			   expected(steps, nr, id, top));
		weft_marks_set(marks, id, mark);
		steps[nr].id = id;
		steps[nr++].mark = mark;
		if (id >= top && id != ~0ULL)
			top = id + 1;
		/* A mark below the window was ignored: RESET either way. */
		fuzz_check(marks->top == top);
	}
	for (i = 0; i < nr; i++)
		fuzz_check(weft_marks_get(marks, steps[i].id) ==
			   expected(steps, nr, steps[i].id, top));
	free(marks);
	return 0;
}
