#pragma once
#if !__has_include(<yaml.h>)
#error "yaml.h is missing: apt-get install libyaml-dev (make demo and make test do it for you)"
#endif
#include <yaml.h>
