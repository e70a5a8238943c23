internal import JSON
public import Usage

/// Reads the label values of an event. Words of closed sets are interned once at start; the value
/// of a tag is found once per tag set.
public struct LabelReader: Sendable {
    private let labels: [Dimension]
    /// The labels again, as what an event can be asked without a look at text.
    private let plan: [Field]
    private let names: Names
    /// Of conversations, tasks and requests.
    private let texts: Names
    private let statusNames: [NameID]
    private let stageNames: [NameID]
    /// Tag set and label -> value.
    private var tagValues: [UInt64: NameID] = [:]
    static let tagValuesMax = 1 << 20

    private enum Field: UInt8, BitwiseCopyable {
        case tenant, user, feature, agent, operation, provider, model, status, stage, tag, none

        init(_ dimension: Dimension) {
            switch dimension {
            case .tenant: self = .tenant
            case .user: self = .user
            case .feature: self = .feature
            case .agent: self = .agent
            case .operation: self = .operation
            case .provider: self = .provider
            case .model: self = .model
            case .status: self = .status
            case .stage: self = .stage
            case .tag: self = .tag
            case .conversation, .task, .request: self = .none
            }
        }
    }

    public init(labels: [Dimension], names: Names, texts: Names? = nil) {
        self.labels = labels
        self.names = names
        self.texts = texts ?? names
        plan = labels.map { Field($0) }
        statusNames = Status.allCases.map { names.intern($0.word) }
        stageNames = Stage.allCases.map { names.intern($0.word) }
    }

    @inline(__always)
    public mutating func key(of event: CostEvent) -> LabelKey {
        var key = LabelKey()
        for index in plan.indices { key[index] = value(of: plan[index], at: index, in: event) }
        return key
    }

    /// With the dimensions that events keep as text: conversation, task and request.
    public mutating func key(of event: CostEvent, in rows: EventRows) -> LabelKey {
        var key = key(of: event)
        for (index, label) in labels.enumerated() {
            switch label {
            case .conversation: key[index] = intern(event.conversation, rows)
            case .task: key[index] = intern(event.task, rows)
            case .request: key[index] = intern(event.request, rows)
            default: break
            }
        }
        return key
    }

    private func intern(_ text: TextRef, _ rows: EventRows) -> NameID {
        text.isEmpty ? 0 : texts.intern(rows.string(text))
    }

    /// Reading a label can make a new name: the value of a tag.
    public var interns: Bool {
        labels.contains { if case .tag = $0 { true } else { false } }
    }

    public func stageName(_ stage: Stage) -> NameID { stageNames[Int(stage.rawValue)] }

    @inline(__always)
    private mutating func value(of field: Field, at index: Int, in event: CostEvent) -> NameID {
        switch field {
        case .tenant: event.tenant
        case .user: event.user
        case .feature: event.feature
        case .agent: event.agent
        case .operation: event.operation
        case .provider: event.provider
        case .model: event.model
        case .status: statusNames[Int(event.status.rawValue)]
        case .stage: stageNames[Int(event.stage.rawValue)]
        case .tag: tag(at: index, in: event.tags)
        case .none: 0
        }
    }

    private mutating func tag(at index: Int, in tags: NameID) -> NameID {
        guard tags != 0, case .tag(let key) = labels[index] else { return 0 }
        let cacheKey = UInt64(tags) << 8 | UInt64(index)
        if let known = tagValues[cacheKey] { return known }
        if tagValues.count >= Self.tagValuesMax { tagValues.removeAll(keepingCapacity: true) }
        let json = try? JSONValue.read(Array(names.text(tags).utf8))
        let value = json?[key]?.string.map { names.intern($0) } ?? 0
        tagValues[cacheKey] = value
        return value
    }
}
