// SPDX-License-Identifier: GPL-2.0-or-later

import OptionSyntax

/// What `-cpu` asks for: a model and changes to its features.
public struct CPUModelRequest: Equatable, Sendable {
  /// "host", "max", "qemu64", …
  public var model: String
  /// Features switched on.
  public var added: [String]
  /// Features switched off.
  public var removed: [String]
  /// A request.
  public init(model: String = "max", added: [String] = [], removed: [String] = []) {
    self.model = model
    self.added = added
    self.removed = removed
  }

  /// The model it names.
  public func namedModel() throws(EngineError) -> CPUModel {
    guard let model = CPUModel.named(model) else {
      throw EngineError(
        "unknown CPU model '\(model)'\(didYouMean(model, in: CPUModel.all.map(\.name))); "
          + "known: \(CPUModel.all.map(\.name).joined(separator: ", "))")
    }
    return model
  }

  /// The features of a model with the changes made to them, and the names of those that are wanted but not to be had.
  /// - Parameter available: what can be had at all.
  public func apply(
    to features: CPUFeatures, available: CPUFeatures
  ) throws(EngineError) -> (features: CPUFeatures, missing: [String]) {
    var features = features
    var missing: [String] = []
    for name in added {
      let wanted = try Self.feature(name)
      if !wanted.intersects(available) { missing.append(name) }
      features = features.union(wanted.intersection(available))
    }
    for name in removed { features = features.subtracting(try Self.feature(name)) }
    return (features, missing)
  }

  private static func feature(_ name: String) throws(EngineError) -> CPUFeatures {
    guard let feature = CPUFeatures.named(name) else {
      throw EngineError("unknown CPU feature '\(name)'\(didYouMean(name, in: CPUFeatures.names))")
    }
    return feature
  }
}
