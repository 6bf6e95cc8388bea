// SPDX-License-Identifier: GPL-2.0-or-later

import NIC
import Network

/// The machine's network: cards, and what they are plugged into.
public struct NetworkConfiguration: Sendable, Equatable {
  /// `-netdev`, `-nic`, `-net`.
  public var backEnds: [NetworkBackEndConfiguration] = []
  /// `-device`, `-nic`, `-net nic`.
  public var cards: [NetworkCardConfiguration] = []
  /// Nothing.
  public init() {}
}

/// A network card.
public struct NetworkCardConfiguration: Sendable, Equatable {
  /// Which.
  public enum Model: String, Sendable, CaseIterable, CustomStringConvertible {
    case e1000
    case pcnet
    case rtl8139
    case ne2kPCI = "ne2k_pci"
    /// QEMU's name.
    public var description: String { rawValue }
  }
  public var model: Model
  /// `id=`.
  public var id: String?
  /// `mac=`.
  public var address: MACAddress
  /// `netdev=`: the back end; nil for a card without a cable.
  public var backEnd: String?
  /// `addr=`: the slot on the PCI bus; nil for the first free one.
  public var slot: Int?
  /// `bootindex=`.
  public var bootIndex: Int?
  /// `romfile=`: the option ROM; nil for the usual one, if it is installed; empty for none.
  public var romFile: String?
  /// `chip=` of an rtl8139.
  public var chip = RTL8139.Chip.cPlus

  /// A card.
  public init(model: Model, address: MACAddress) { (self.model, self.address) = (model, address) }

}

extension NetworkConfiguration {
  /// What `--print-config` shows: a line a card, and a line a back end without one.
  var lines: [(String, String)] {
    var lines = cards.map { card -> (String, String) in
      let end = card.backEnd.map { id in backEnds.first { $0.id == id }.map { "\($0.typeName) '\(id)'" } ?? id
      }
      return ("nic", "\(card.model), \(card.address), on \(end ?? "nothing")")
    }
    if cards.isEmpty { lines.append(("nic", "none")) }
    for backEnd in backEnds where !cards.contains(where: { $0.backEnd == backEnd.id }) {
      lines.append(("netdev", "\(backEnd.typeName) '\(backEnd.id)'"))
    }
    return lines
  }
}

extension NetworkCardConfiguration.Model {
  /// The model with QEMU's name, or with another that QEMU also understands.
  public init?(named name: String) {
    self.init(rawValue: name == "e1000-82540em" ? "e1000" : name)
  }
}

extension MACAddress {
  /// The address of card `index` that got none: QEMU's, so that guests which know their cards by it do not notice.
  public static func defaultForCard(_ index: Int) -> MACAddress {
    MACAddress(bits: 0x5254_0012_3456 + UInt64(index & 0xFF))
  }
}

/// A file that gets what goes over a cable.
public struct CaptureConfiguration: Sendable, Equatable {
  public var id: String
  /// `netdev=`.
  public var backEnd: String
  /// `file=`.
  public var path: String
  /// `maxlen=`: how much of a frame is kept, in bytes.
  public var longest = 65536

  /// A capture.
  public init(id: String, backEnd: String, path: String) {
    (self.id, self.backEnd, self.path) = (id, backEnd, path)
  }
}
