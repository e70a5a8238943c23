/// The two text formats that scrapers read.
/// https://prometheus.io/docs/instrumenting/exposition_formats/
/// https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
public enum ExpositionFormat: Equatable, Sendable {
    case text
    /// `echoesEscaping`: the request named an escaping scheme, which Prometheus 3 wants repeated.
    case openMetrics(echoesEscaping: Bool)

    /// A missing or unknown type fails the scrape of Prometheus 3, so these are exact.
    public var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics(false):
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        case .openMetrics(true):
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
        }
    }

    var isOpenMetrics: Bool { self != .text }

    /// Chooses by an `Accept` header (RFC 9110 section 12.5.1). What cannot be served is passed
    /// over; with nothing left the answer is text, never 406.
    public static func negotiate(accept: String?) -> ExpositionFormat {
        let clauses = (accept ?? "").split(separator: ",").compactMap { AcceptClause($0) }
        // `sorted` keeps the order of equal weights.
        for clause in clauses.filter({ $0.weight > 0 }).sorted(by: { $0.weight > $1.weight }) {
            if let format = clause.format { return format }
        }
        return .text
    }
}

private struct AcceptClause {
    let type: String
    let parameters: [String: String]
    let weight: Double

    init?(_ text: Substring) {
        let parts = text.split(separator: ";").map { trimmed($0) }
        guard let type = parts.first, type.contains("/") else { return nil }
        self.type = type.lowercased()
        var parameters: [String: String] = [:]
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { parameters[trimmed(pair[0]).lowercased()] = trimmed(pair[1]) }
        }
        let weight = parameters.removeValue(forKey: "q").map { Double($0) ?? -1 } ?? 1
        guard (0...1).contains(weight) else { return nil }
        self.parameters = parameters
        self.weight = weight
    }

    var format: ExpositionFormat? {
        switch (type, parameters["version"]) {
        case ("application/openmetrics-text", nil), ("application/openmetrics-text", "1.0.0"),
            ("application/openmetrics-text", "0.0.1"):
            .openMetrics(echoesEscaping: parameters["escaping"] != nil)
        case ("text/plain", nil), ("text/plain", "0.0.4"), ("text/*", _), ("*/*", _): .text
        default: nil
        }
    }
}

/// True when an `Accept-Encoding` header lists gzip (or everything) with a weight above 0.
public func acceptsGzip(_ acceptEncoding: String?) -> Bool {
    for clause in (acceptEncoding ?? "").split(separator: ",") {
        let parts = clause.split(separator: ";").map { trimmed($0).lowercased() }
        guard let coding = parts.first, coding == "gzip" || coding == "*" else { continue }
        let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map {
            Double($0.dropFirst(2)) ?? 0
        }
        return (weight ?? 1) > 0
    }
    return false
}

private func trimmed(_ text: some StringProtocol) -> String {
    var text = text[...]
    while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
    while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
    return String(text)
}
