public import Budgets
internal import YAML

extension Configuration {
    /// Reads one budget in JSON, which YAML understands, with the keys of `budgets`.
    public static func budget(_ json: [UInt8]) -> BudgetReading {
        let reader = ConfigurationReader(file: "", environment: [:], secretFiles: .none)
        let root: YAMLNode
        do throws(YAMLError) { root = try YAMLDocument.read(json) } catch {
            return .faults(["the body cannot be read: \(error.message)"])
        }
        var map = ConfigurationMap(root, path: "", reader: reader, hasVariables: false)
        let definition = readBudget(&map)
        map.finish()
        guard reader.faults.isEmpty, let definition else {
            return .faults(
                reader.sortedFaults.map { fault in
                    fault.key.isEmpty ? fault.message : "\(fault.key): \(fault.message)"
                })
        }
        return .definition(definition)
    }
}
