"""The mark in a finished file that a machine made the picture: an XMP packet with IPTC's terms."""

from importlib.metadata import version

from shared.request import GenerationRequest

# https://cv.iptc.org/newscodes/digitalsourcetype/
TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = TERMS + "trainedAlgorithmicMedia"
COMPOSITE = TERMS + "compositeWithTrainedAlgorithmicMedia"

# XMP's specification, part 1: this very id, and a byte order mark, begin every packet.
_PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmp:CreatorTool="Tessera {version}"
    Iptc4xmpExt:DigitalSourceType="{source}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def xmp_packet(request: GenerationRequest) -> str:
    """What every format holds; a picture that began with a client's own is called a composite."""
    source = COMPOSITE if request.image else GENERATED
    return _PACKET.format(version=version("tessera"), source=source)
