internal import Files
internal import Logging

/// Tells what cannot be read: once, and again when the cause is another one or came back.
struct PathFaults {
    private let log: Logger
    private var told: [String: FileFault] = [:]
    private var found: [String: FileFault] = [:]
    private var isFirst = true

    init(log: Logger) { self.log = log }

    /// All paths are about to be looked at.
    mutating func begin() { found = [:] }

    /// - Parameter isPattern: the path was found by a pattern, which may match directories, and
    ///   files that are deleted meanwhile.
    mutating func add(_ fault: FileFault, _ path: String, isPattern: Bool) {
        if isPattern, fault.isAbsent || fault.isIrregular { return }
        guard found.updateValue(fault, forKey: path) == nil, told[path] != fault else { return }
        if !fault.isAbsent {
            log.warn("a file cannot be tailed", ("path", path), ("cause", fault.text))
        } else if isFirst {
            // Later on it is between two files of a rotation.
            log.info(
                "a file to tail is not there yet; it is read once it appears", ("path", path))
        }
    }

    mutating func end() {
        told = found
        isFirst = false
    }
}
