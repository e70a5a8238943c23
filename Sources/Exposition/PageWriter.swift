internal import Usage
internal import Wire

/// What a metric is, as HELP and TYPE lines say it.
struct MetricFamily {
    enum Kind: String {
        case counter, gauge, histogram
    }

    /// Without the `_total` of counters.
    let name: String
    let kind: Kind
    /// The last part of the name, for OpenMetrics' UNIT line; empty: none.
    let unit: String
    let help: String

    init(_ name: String, _ kind: Kind, unit: String = "", _ help: String) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.help = help
    }
}

/// Writes a page in one of the formats. Samples of a family follow its header without a break.
struct PageWriter {
    let format: ExpositionFormat
    /// Counters also tell when they began, as `_created` samples. Off unless asked for: a
    /// Prometheus without its feature flag stores them as series of their own.
    let writesCreated: Bool
    var bytes: [UInt8] = []
    private(set) var sampleName: [UInt8] = []
    private var familyName: [UInt8] = []
    var createdName: [UInt8] { familyName + Array("_created".utf8) }

    /// `bytesExpected`: room that is made at once; the page may be longer.
    init(format: ExpositionFormat, writesCreated: Bool, bytesExpected: Int) {
        bytes.reserveCapacity(bytesExpected)
        self.format = format
        self.writesCreated = writesCreated && format.isOpenMetrics
    }

    mutating func begin(_ family: MetricFamily) {
        familyName = Array(family.name.utf8)
        sampleName = familyName
        if family.kind == .counter { sampleName.append("_total" as StaticString) }
        // The older format names counters with their suffix, OpenMetrics without.
        let name = format.isOpenMetrics ? Array(family.name.utf8) : sampleName
        if !format.isOpenMetrics { header("HELP", name, family.help) }
        header("TYPE", name, family.kind.rawValue)
        guard format.isOpenMetrics else { return }
        if !family.unit.isEmpty { header("UNIT", name, family.unit) }
        header("HELP", name, family.help)
    }

    private mutating func header(_ keyword: StaticString, _ name: [UInt8], _ text: String) {
        bytes.append("# " as StaticString)
        bytes.append(keyword)
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: name)
        bytes.append(UInt8(ascii: " "))
        bytes.append(text)
        bytes.append(UInt8(ascii: "\n"))
    }

    /// `labels` is `a="b",c="d"` or empty. `suffix` stands between name and labels.
    mutating func sample(
        suffix: StaticString = "", _ labels: ArraySlice<UInt8>, extra: [UInt8] = [],
        _ value: (inout [UInt8]) -> Void
    ) {
        let name = sampleName
        let room = name.count + suffix.utf8CodeUnitCount + labels.count + extra.count
        bytes.append(atMost: room + TextBuffer.sampleFrameBytes) { text in
            text.append(name, suffix, labels, extra)
        }
        value(&bytes)
        bytes.append(UInt8(ascii: "\n"))
    }

    /// A sample of a whole number, for what has many of them.
    mutating func sample(_ labels: ArraySlice<UInt8>, extra: [UInt8], integer: Int64) {
        line(labels, extra) { $0.append(decimal: integer) }
    }

    /// A sample of an amount, for what has many of them.
    mutating func sample(_ labels: ArraySlice<UInt8>, extra: [UInt8], amount: NanoUSD) {
        line(labels, extra) { $0.append(nanos: amount.nanos) }
    }

    @inline(__always)
    private mutating func line(
        _ labels: ArraySlice<UInt8>, _ extra: [UInt8], _ value: (inout TextBuffer) -> Void
    ) {
        let name = sampleName
        let room = name.count + labels.count + extra.count + TextBuffer.sampleFrameBytes
        // A value has up to 21 bytes.
        bytes.append(atMost: room + 22) { text in
            text.append(name, "", labels, extra)
            value(&text)
            text.append(UInt8(ascii: "\n"))
        }
    }

    mutating func sample(_ labels: [(String, String)] = [], integer: Int64) {
        sample(labelBytes(labels)[...]) { $0.appendDecimal(integer) }
    }

    /// An exact decimal of `value / 10^scale`.
    mutating func sample(_ labels: [(String, String)] = [], _ value: Int64, scale: Int) {
        sample(labelBytes(labels)[...]) { FixedPoint.append(value, scale: scale, to: &$0) }
    }

    /// When the counter or histogram with these labels began.
    mutating func created(_ labels: ArraySlice<UInt8>, extra: [UInt8] = [], unixNanos: Int64) {
        guard writesCreated else { return }
        let name = sampleName
        sampleName = familyName
        sample(suffix: "_created", labels, extra: extra) {
            FixedPoint.append(unixNanos, scale: 9, fractionMin: 1, to: &$0)
        }
        sampleName = name
    }

    mutating func end() {
        if format.isOpenMetrics { bytes.append("# EOF\n" as StaticString) }
    }
}

/// Labels with a value, escaped; an empty value is the same as no label.
func labelBytes(_ labels: [(String, String)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (name, value) in labels where !value.isEmpty {
        if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
        bytes.appendLabel(name, value)
    }
    return bytes
}

extension [UInt8] {
    /// `name="value"` with backslash, quote and newline escaped.
    mutating func appendLabel(_ name: [UInt8], _ value: ArraySlice<UInt8>) {
        append(contentsOf: name)
        appendValue(value)
    }

    mutating func appendLabel(_ name: String, _ value: String) {
        append(name)
        appendValue(value.utf8)
    }

    @inline(__always)
    private mutating func appendValue(_ value: some Sequence<UInt8>) {
        append(UInt8(ascii: "="))
        append(UInt8(ascii: "\""))
        for byte in value {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""):
                append(UInt8(ascii: "\\"))
                append(byte)
            case UInt8(ascii: "\n"):
                append(UInt8(ascii: "\\"))
                append(UInt8(ascii: "n"))
            default: append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }
}

extension TextBuffer {
    /// What stands between the parts of a sample before its value: `{`, `,`, `}` and a space.
    fileprivate static let sampleFrameBytes = 4

    /// `name_suffix{labels,extra} `, without braces when there are no labels.
    fileprivate mutating func append(
        _ name: [UInt8], _ suffix: StaticString, _ labels: ArraySlice<UInt8>, _ extra: [UInt8]
    ) {
        append(name.span)
        append(suffix)
        if !labels.isEmpty || !extra.isEmpty {
            append(UInt8(ascii: "{"))
            append(labels.span)
            if !labels.isEmpty, !extra.isEmpty { append(UInt8(ascii: ",")) }
            append(extra.span)
            append(UInt8(ascii: "}"))
        }
        append(UInt8(ascii: " "))
    }
}
