public import YAML

/// One thing wrong with a configuration, at its place.
public struct ConfigurationFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// A file's name, or the environment variable that holds the value.
    public let source: String
    /// Nil for the environment.
    public let mark: YAMLMark?
    /// As the user wrote it: `metrics.top.user`.
    public let key: String
    public let message: String

    public init(source: String, mark: YAMLMark?, key: String, message: String) {
        self.source = source
        self.mark = mark
        self.key = key
        self.message = message
    }

    /// `costgauge.yaml:41:7: storage.retention.events: what is wrong; what to write`
    public var description: String {
        let place = mark.map { ":\($0.line):\($0.column)" } ?? ""
        return source + place + ": " + (key.isEmpty ? "" : key + ": ") + message
    }
}

/// All faults of one configuration, in the order of the file.
public struct ConfigurationFaults: Error, Equatable, Sendable, CustomStringConvertible {
    public let faults: [ConfigurationFault]

    public init(faults: [ConfigurationFault]) {
        self.faults = faults
    }

    public var description: String { faults.map(\.description).joined(separator: "\n") }
}
