#pragma once
#include <stddef.h>

/// The built-in price list in the layout of LiteLLM's price file, one model a line; prices.json
/// beside this target's source. Not terminated by a zero.
const unsigned char *costgauge_price_data_start(void);
extern const size_t costgauge_price_data_size;
