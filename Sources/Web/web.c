#include "web.h"

// #embed is of C23, and clang says so at each.
#pragma clang diagnostic ignored "-Wc23-extensions"

// #embed fills the arrays when this is compiled, so the binary needs no file beside it.
static const unsigned char index_html[] = {
#embed "index.html"
};
static const unsigned char page_css[] = {
#embed "page.css"
};
static const unsigned char icon_svg[] = {
#embed "icon.svg"
};
static const unsigned char app_js[] = {
#embed "app.js"
};
static const unsigned char api_js[] = {
#embed "api.js"
};
static const unsigned char chart_js[] = {
#embed "chart.js"
};
static const unsigned char spend_js[] = {
#embed "spend.js"
};
static const unsigned char text_js[] = {
#embed "text.js"
};
static const unsigned char watch_js[] = {
#embed "watch.js"
};

static const unsigned char openapi_json[] = {
#embed "openapi.json"
};

#define FILE_OF(name, type, bytes) { name, type "; charset=utf-8", bytes, sizeof bytes }

static const struct costgauge_web_file files[] = {
    FILE_OF("index.html", "text/html", index_html),
    FILE_OF("page.css", "text/css", page_css),
    FILE_OF("icon.svg", "image/svg+xml", icon_svg),
    FILE_OF("app.js", "text/javascript", app_js),
    FILE_OF("api.js", "text/javascript", api_js),
    FILE_OF("chart.js", "text/javascript", chart_js),
    FILE_OF("spend.js", "text/javascript", spend_js),
    FILE_OF("text.js", "text/javascript", text_js),
    FILE_OF("watch.js", "text/javascript", watch_js),
    FILE_OF("openapi.json", "application/json", openapi_json),
};

const struct costgauge_web_file *costgauge_web_file_at(size_t index) {
    return index < sizeof files / sizeof files[0] ? &files[index] : 0;
}
