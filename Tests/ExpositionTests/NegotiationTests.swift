import Testing

@testable import Exposition

@Suite struct NegotiationTests {
    private let openMetrics = ExpositionFormat.openMetrics(echoesEscaping: false)

    // What scrapers were seen to send.
    @Test(
        arguments: [
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                true
            ),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                true
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                true
            ),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", false), ("*/*", false), ("", false),
            ("text/html, */*;q=0.8", false), ("application/openmetrics-text", true),
            ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", false),
            ("application/openmetrics-text;q=0,text/plain;q=0.1", false),
            ("TEXT/PLAIN;q=0.3, Application/OpenMetrics-Text; Version=1.0.0; Q=0.9", true),
            ("application/openmetrics-text;q=junk", false), ("image/png", false),
            (";;,,q=1", false),
            ("text/plain;version=1.0.0;q=0.9,application/openmetrics-text;q=0.5", true),
        ])
    func `the heaviest clause that can be served wins`(_ accept: String, _ isOpenMetrics: Bool) {
        #expect(
            ExpositionFormat.negotiate(accept: accept) == (isOpenMetrics ? openMetrics : .text),
            "\(accept)")
    }

    @Test func `without a header the answer is text`() {
        #expect(ExpositionFormat.negotiate(accept: nil) == .text)
    }

    @Test func `Prometheus 3 gets its escaping scheme back`() {
        let accept =
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            + "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
            + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        let format = ExpositionFormat.negotiate(accept: accept)
        #expect(format == .openMetrics(echoesEscaping: true))
        #expect(
            format.contentType
                == "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
        )
        #expect(ExpositionFormat.text.contentType == "text/plain; version=0.0.4; charset=utf-8")
    }

    @Test(
        arguments: [
            ("gzip", true), ("deflate, gzip;q=1.0, *;q=0.5", true), ("identity", false),
            ("gzip;q=0", false),
            ("*", true), ("br", false), ("GZIP", true), ("", false),
        ])
    func `gzip is sent to whom lists it`(_ header: String, _ isAccepted: Bool) {
        #expect(acceptsGzip(header) == isAccepted)
        #expect(!acceptsGzip(nil))
    }
}
