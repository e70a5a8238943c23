internal import HTTPServer
internal import WebPage

/// `/` and what the page loads from `/web/`. They hold no data and need no token: the page asks
/// for one when its first request is refused.
enum PageFiles {
    /// Nothing from elsewhere, no inline script or style, in nobody's frame.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private static let responses: [String: HTTPResponse] = {
        var responses: [String: HTTPResponse] = [:]
        for file in WebFile.all {
            responses[file.name] = HTTPResponse(
                status: 200, contentType: file.contentType,
                headers: [
                    ("Content-Security-Policy", policy),
                    ("X-Content-Type-Options", "nosniff"),
                    ("Referrer-Policy", "no-referrer"),
                    // Another version of costgauge brings other files under the same names.
                    ("Cache-Control", "no-cache"),
                ],
                body: file.bytes)
        }
        return responses
    }()

    static func response(_ name: String) -> HTTPResponse {
        responses[name]
            ?? APIError(
                status: 404, code: "not_found",
                message: "the page has no file \"\(name.prefix(100))\""
            ).response
    }
}
