internal import HTTPServer

/// `/`, for whoever opens the address in a browser.
enum LandingPage {
    static let response = HTTPResponse(
        status: 200, contentType: "text/html; charset=utf-8",
        headers: [
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ("X-Content-Type-Options", "nosniff"),
        ],
        body: Array(html.utf8))

    private static let html = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>costgauge</title>
        <style>
        :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
        body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
        </style>
        <h1>costgauge</h1>
        <p>Turns AI spend into numbers a team can see, be warned about and stop.</p>
        <ul>
        <li><a href="/metrics">/metrics</a>: cost, tokens and requests for Prometheus
        <li><a href="/-/healthy">/-/healthy</a> and <a href="/-/ready">/-/ready</a>
        <li><code>POST /v1/events</code>: cost events as JSON
        </ul>
        """
}
