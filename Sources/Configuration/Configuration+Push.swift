internal import Delivery
internal import OTLPPush
internal import Usage
internal import Wire

extension Configuration {
    /// Reads `otlp`. What it leaves open the standard variables of OpenTelemetry's exporters
    /// decide. https://opentelemetry.io/docs/specs/otel/protocol/exporter/
    static func readPush(
        _ map: inout ConfigurationMap, _ environment: [String: String], _ warnings: inout [String]
    ) -> PushSettings? {
        var variables = ExporterVariables(environment)
        var section = map.map("otlp")
        let base = section.scalar(
            "endpoint", default: "", expected: "an address that begins with http:// or https://"
        ) { text in
            text.isEmpty || text.hasPrefix("http://") || text.hasPrefix("https://") ? text : nil
        }
        let url = base.isEmpty ? variables.url : PushSettings.url(base: base)
        var settings = PushSettings(url: Secret(url ?? ""))
        let interval = variables.millis("OTEL_METRIC_EXPORT_INTERVAL") ?? 15_000
        settings.intervalNanos = UInt64(
            section.nanos(
                "interval", default: Int64(interval) * 1_000_000,
                in: 1_000_000_000...3_600_000_000_000))
        let timeout = variables.millis(
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
        settings.timeoutMillis = Int(
            section.nanos(
                "timeout", default: Int64(timeout ?? 10_000) * 1_000_000,
                in: 100_000_000...300_000_000_000) / 1_000_000)
        let compression: Compression = section.word("compression", default: variables.compression)
        settings.isCompressed = compression == .gzip
        settings.temporality = section.word("temporality", default: variables.temporality)
        let headers = section.headers("headers", countMax: headersMax)
        settings.headers =
            headers.isEmpty
            ? variables.headers
            : headers.map { PushSettings.Header(name: $0.name, value: $0.value) }
        settings.resource = variables.resource
        if url != nil, base.isEmpty, let fault = variables.protocolFault {
            section.fault("endpoint", fault)
        }
        section.finish()
        guard url != nil, !variables.isDisabled else { return nil }
        warnings += variables.warnings
        return settings
    }

    enum Compression: String, CaseIterable {
        case gzip, none
    }
}

/// The environment of an OpenTelemetry exporter. Variables of the signal come before general ones;
/// an empty one is unset.
struct ExporterVariables {
    private let environment: [String: String]
    private(set) var warnings: [String] = []

    init(_ environment: [String: String]) {
        self.environment = environment
    }

    private func value(_ names: String...) -> String? {
        for name in names {
            if let value = environment[name], !value.isEmpty { return value }
        }
        return nil
    }

    var isDisabled: Bool { value("OTEL_SDK_DISABLED")?.lowercased() == "true" }

    /// The signal's own endpoint is taken as it stands.
    var url: String? {
        if let own = value("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") { return own }
        return value("OTEL_EXPORTER_OTLP_ENDPOINT").map { PushSettings.url(base: $0) }
    }

    var protocolFault: String? {
        let name = value("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
        guard let name, name != "http/protobuf" else { return nil }
        return "OTEL_EXPORTER_OTLP_PROTOCOL is \"\(name)\", which is not spoken here; set it to "
            + "http/protobuf and name the receiver's HTTP port, mostly 4318"
    }

    /// A number that is none is told and passed over, as the specification asks.
    mutating func millis(_ names: String...) -> Int? {
        for name in names {
            guard let text = environment[name], !text.isEmpty else { continue }
            if let value = Int(text), (100...3_600_000).contains(value) { return value }
            warnings.append("\(name) is \"\(text)\", which is no number of milliseconds from 100")
        }
        return nil
    }

    var compression: Configuration.Compression {
        let word = value("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION")
        return word == "none" ? .none : .gzip
    }

    var temporality: PushSettings.Temporality {
        switch value("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE")?.lowercased() {
        case "delta", "lowmemory": .delta
        default: .cumulative
        }
    }

    /// `name=value,name=value`, percent-encoded.
    var headers: [PushSettings.Header] {
        let text = value("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
        return (Self.pairs(text ?? "") ?? []).map {
            PushSettings.Header(name: $0.name, value: Secret($0.value))
        }
    }

    var resource: [(name: String, value: String)] {
        // One broken pair discards all of them.
        var pairs = Self.pairs(value("OTEL_RESOURCE_ATTRIBUTES") ?? "") ?? []
        if let name = value("OTEL_SERVICE_NAME") {
            pairs.removeAll { $0.name == "service.name" }
            pairs.append(("service.name", name))
        }
        if !pairs.contains(where: { $0.name == "service.name" }) {
            pairs.append(("service.name", "costgauge"))
        }
        return pairs
    }

    private static func pairs(_ text: String) -> [(name: String, value: String)]? {
        func trimmed(_ text: Substring) -> String {
            text.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        }
        var pairs: [(name: String, value: String)] = []
        for entry in text.split(separator: ",") where !trimmed(entry).isEmpty {
            guard let equals = entry.firstIndex(of: "="),
                let name = PercentEncoding.decode(trimmed(entry[..<equals])), !name.isEmpty,
                let value = PercentEncoding.decode(trimmed(entry[entry.index(after: equals)...]))
            else { return nil }
            pairs.removeAll { $0.name == name }
            pairs.append((name, value))
        }
        return pairs
    }
}
