"""Where films come from: folders of pictures and DICOM, and the tables that speak of them."""
