"""Teaching files: cases as documents, kept in versions, assembled from the archive, asked about in quizzes."""
